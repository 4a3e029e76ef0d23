"""Brings what waits in the outbox to the service, in a thread of its own."""

from __future__ import annotations

import json
import logging
import random
import threading
from typing import Any, Callable, Mapping, Optional, Sequence

from . import wire
from .errors import (
    InvalidRequestException,
    ServiceUnavailableException,
    SubscriptionException,
    TrackingException,
)
from .outbox import Entry, Outbox
from .spool import Spool
from .transport import Transport

log = logging.getLogger("tollgate")

FIRST_PAUSE_SECONDS = 0.25
PAUSE_SECONDS_MAX = 15.0

#: Told of what the service will never take, and why.
OnRejected = Callable[[Mapping[str, Any], str], None]


class Delivery:
    """The thread starts with the first entry, and begins anew where a fork has left it behind."""

    def __init__(
        self,
        outbox: Outbox,
        transport: Transport,
        spool: Optional[Spool] = None,
        on_rejected: Optional[OnRejected] = None,
        on_delivered: Callable[[], None] = lambda: None,
    ) -> None:
        self._outbox = outbox
        self._transport = transport
        self._spool = spool
        self._on_rejected = on_rejected
        self._on_delivered = on_delivered
        self._thread: Optional[threading.Thread] = None
        self._starting = threading.Lock()
        self._closing = False
        self._hurry = False
        if len(outbox):
            self._ensure_running()

    def put(self, entry: Entry) -> None:
        """Raises `TrackingException` where there is no room."""
        if self._closing:
            raise TrackingException("the client is closed, and the service is away")
        self._outbox.put(entry)
        self._ensure_running()

    def waiting(self) -> int:
        return len(self._outbox)

    def flush(self, timeout_seconds: float) -> bool:
        """Tries again at once; whether all is with the service within that time."""
        if not len(self._outbox):
            return True
        self._ensure_running()
        self._hurry = True
        self._outbox.wake()
        return self._outbox.wait_for(lambda: not len(self._outbox), timeout_seconds)

    def close(self, timeout_seconds: float) -> None:
        """A last try. What remains stays on disk where there is a folder, or is lost aloud."""
        if self._closing:
            return
        if not self.flush(timeout_seconds) and self._spool is None:
            log.error("%d records are lost: the service is away", len(self._outbox))
        self._closing = True
        self._outbox.wake()
        thread = self._thread
        if thread is not None and thread.is_alive():
            # At most the request that is under way.
            thread.join(timeout_seconds)
        self._outbox.close()
        self._transport.close()

    def _ensure_running(self) -> None:
        with self._starting:
            if self._closing or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(
                target=self._run, name="tollgate-delivery", daemon=True
            )
            self._thread.start()

    def _run(self) -> None:
        pause_seconds = FIRST_PAUSE_SECONDS
        while True:
            self._outbox.wait_for(lambda: self._closing or len(self._outbox) > 0, None)
            if self._closing:
                return
            batch = self._outbox.batch()
            try:
                self._deliver(batch)
            except Exception as error:
                # Also what nobody thought of: the records wait, and the thread goes on.
                expected = isinstance(error, ServiceUnavailableException)
                level = logging.DEBUG if expected else logging.ERROR
                log.log(level, "%d records wait: %s", len(self._outbox), error)
                hurried = self._pause(pause_seconds)
                longer = min(pause_seconds * 2, PAUSE_SECONDS_MAX)
                pause_seconds = FIRST_PAUSE_SECONDS if hurried else longer
                continue
            pause_seconds = FIRST_PAUSE_SECONDS
            # The service is back: before anybody who waits for the queue asks it again.
            self._on_delivered()
            if not self._closing:
                self._outbox.remove(len(batch))

    def _pause(self, seconds: float) -> bool:
        """Between half of it and all of it, so that not all processes come back at once.

        Whether somebody was in a hurry, and it ended early.
        """
        seconds *= random.uniform(0.5, 1)
        hurried = self._outbox.wait_for(lambda: self._closing or self._hurry, seconds)
        self._hurry = False
        return hurried

    def _deliver(self, batch: Sequence[Entry]) -> None:
        """Raises `ServiceUnavailableException` where any of it has to be sent again."""
        reservation_id = batch[0].reservation_id
        try:
            if reservation_id is not None:
                request = wire.settle(reservation_id, batch[0].body)
                wire.understood(self._transport.send(request))
                return
            request = wire.record([entry.body for entry in batch])
            tally = wire.understood(self._transport.send(request))
        except InvalidRequestException as error:
            if len(batch) == 1:
                self._reject(batch[0], error.message)
                return
            # The body as a whole was not taken: one by one, the good ones are.
            for entry in batch:
                self._deliver([entry])
            return
        except SubscriptionException as error:
            # A fact is never refused; whatever this is, it may be better later.
            raise ServiceUnavailableException(error.message) from error
        problems = tally.get("problems", ())
        if any(each["problem"].get("status", 500) >= 500 for each in problems):
            raise ServiceUnavailableException("the service could not record all of it now")
        for each in problems:
            self._reject(batch[each["index"]], each["problem"].get("detail", ""))

    def _reject(self, entry: Entry, why: str) -> None:
        log.error("the service does not take a record, and never will: %s", why)
        if self._spool is not None:
            said = {"why": why, **json.loads(entry.line())}
            self._spool.reject(wire.encoded(said))
        if self._on_rejected is not None:
            try:
                self._on_rejected(entry.body, why)
            except Exception:
                log.exception("on_rejected failed")
