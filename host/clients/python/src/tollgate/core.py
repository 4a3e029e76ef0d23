"""What both clients are made of, apart from how they wait."""

from __future__ import annotations

import logging
import ssl
import time
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Union

from . import ask as words
from .address import address
from .ask import Ask, Reservation, UsedOptions
from .delivery import Delivery, OnRejected
from .errors import (
    InvalidRequestException,
    ServiceUnavailableException,
    SubscriptionException,
    TrackingException,
)
from .outbox import Entry, Outbox
from .spool import Spool
from .transport import Transport
from .values import Receipt, Verdict

log = logging.getLogger("tollgate")

#: So many requests in a row have to fail before the service is taken to be away.
FAILURES_MAX = 3


class Breaker:
    """Spares callers the wait for a service that is away: then only one a pause tries."""

    def __init__(self, pause_seconds: float) -> None:
        self._pause_seconds = pause_seconds
        self._failures = 0
        self._closed_until = 0.0

    def enter(self) -> None:
        """Raises `ServiceUnavailableException` at once where waiting is in vain."""
        if self._failures < FAILURES_MAX:
            return
        now = time.monotonic()
        if now < self._closed_until:
            raise ServiceUnavailableException("the usage service was away a moment ago")
        # This one tries; the others go on without.
        self._closed_until = now + self._pause_seconds

    def worked(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures == FAILURES_MAX:
            self._closed_until = time.monotonic() + self._pause_seconds
            log.warning("the usage service is away")


class Core:
    """The settings of a client, its queue, and what it does when the service is away."""

    def __init__(
        self,
        url: Optional[str],
        *,
        on_failure: str,
        timeout_seconds: float,
        headers: Optional[Mapping[str, str]],
        tls: Optional[ssl.SSLContext],
        queue_max: int,
        queue_folder: Union[str, Path, None],
        on_rejected: Optional[OnRejected],
        pause_seconds: float,
    ) -> None:
        if on_failure not in ("allow", "deny"):
            raise ValueError(f"on_failure must be 'allow' or 'deny', not {on_failure!r}")
        if timeout_seconds <= 0:
            raise ValueError("timeout_seconds must be more than 0")
        if queue_max < 0 or (queue_max == 0 and queue_folder is not None):
            raise ValueError("queue_max must be at least 1 where there is a queue_folder")
        self.address = address(url)
        self.allow = on_failure == "allow"
        self.breaker = Breaker(pause_seconds)
        self._delivery: Optional[Delivery] = None
        if queue_max:
            spool = None if queue_folder is None else Spool(Path(queue_folder))
            # It has time: nobody waits for it.
            seconds = max(timeout_seconds, 10.0)
            transport = Transport(
                self.address, timeout_seconds=seconds, headers=headers, tls=tls
            )
            self._delivery = Delivery(
                Outbox(queue_max, spool), transport, spool, on_rejected, self.breaker.worked
            )

    def without_verdict(self, error: ServiceUnavailableException) -> Verdict:
        """The answer in the service's place; raises where it must not be missed."""
        if not self.allow:
            raise error
        return Verdict(allowed=True, assumed=True)

    def without_reservation(self, ask: Ask, error: ServiceUnavailableException) -> Reservation:
        """A reservation that holds nothing; raises where the service must not be missed."""
        if not self.allow:
            raise error
        return Reservation(ask, None)

    def keep(self, entry: Entry, error: SubscriptionException) -> Receipt:
        """Puts what the service could not be told into the queue.

        Raises `TrackingException` where it will never take it, or the queue does not.
        """
        invalid = isinstance(error, InvalidRequestException)
        if invalid or self._delivery is None:
            raise TrackingException(
                error.message,
                user_id=entry.body.get("subject"),
                details=error.details,
                status_code=error.status_code,
            ) from error
        self._delivery.put(entry)
        return Receipt(event_id=entry.body.get("event_id"), queued=True)

    def waiting(self) -> int:
        return 0 if self._delivery is None else self._delivery.waiting()

    def flush(self, timeout_seconds: float) -> bool:
        return True if self._delivery is None else self._delivery.flush(timeout_seconds)

    def close(self, timeout_seconds: float) -> None:
        if self._delivery is not None:
            self._delivery.close(timeout_seconds)


def settlement(reservation: Reservation, options: UsedOptions) -> Entry:
    """What to tell of a call that was reserved, or would have been.

    Where nothing is held, it is an event of its own.
    """
    if reservation.reservation_id is not None:
        return Entry.settlement(reservation.reservation_id, words.used(**options))
    ask = reservation.ask
    facts: Dict[str, Any] = {"model": ask.model, "metadata": ask.metadata, **options}
    return Entry.event(
        words.event(
            ask.subject,
            ask.provider,
            endpoint=ask.endpoint,
            service_tier=ask.service_tier,
            region=ask.region,
            **facts,
        )
    )
