"""The client for threads."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Mapping, Optional, Type, Union

from . import ask as words
from . import wire
from .ask import Ask, AskOptions, EventOptions, Reservation, UsedOptions
from .core import Core, settlement
from .delivery import OnRejected
from .errors import ServiceUnavailableException, SubscriptionException
from .outbox import Entry
from .report import Report, begin, end
from .transport import Transport
from .values import Receipt, Verdict

if TYPE_CHECKING:
    from typing_extensions import Literal, Unpack

log = logging.getLogger("tollgate")


class Client:
    """Asks the service before calls, and tells it after them; for any number of threads.

    Make one for the whole process, and close it at the end.

    ``url``: where the service is; ``TOLLGATE_URL`` from the environment unless given.
    ``on_failure``: what becomes of a call when the service is away: ``deny`` raises
    `ServiceUnavailableException`, ``allow`` lets it go ahead; it is recorded either way.
    ``timeout_seconds``: how long the service may take for an answer.
    ``headers``: sent with every request, for something between that wants to know who asks.
    ``queue_max``: how many records may wait here for a service that is away; 0 for none.
    ``queue_folder``: where they outlive this process; in memory only unless given.
    ``on_rejected``: told of records that had waited and that the service will never take.
    ``pause_seconds``: for how long a service that was away three times is not asked again.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        *,
        on_failure: Literal["allow", "deny"] = "deny",
        timeout_seconds: float = 2.0,
        headers: Optional[Mapping[str, str]] = None,
        tls: Optional[ssl.SSLContext] = None,
        queue_max: int = 10_000,
        queue_folder: Union[str, Path, None] = None,
        on_rejected: Optional[OnRejected] = None,
        pause_seconds: float = 1.0,
    ) -> None:
        self._core = Core(
            url,
            on_failure=on_failure,
            timeout_seconds=timeout_seconds,
            headers=headers,
            tls=tls,
            queue_max=queue_max,
            queue_folder=queue_folder,
            on_rejected=on_rejected,
            pause_seconds=pause_seconds,
        )
        self._transport = Transport(
            self._core.address, timeout_seconds=timeout_seconds, headers=headers, tls=tls
        )

    def check(self, subject: str, provider: str, **options: Unpack[AskOptions]) -> Verdict:
        """Whether a call would fit; nothing is held, so somebody else may be faster."""
        return self.weigh(Ask(subject, provider, **options))

    def weigh(self, ask: Ask) -> Verdict:
        """`check`, of a call that is a value already."""
        try:
            return wire.checked(self._send(wire.check(ask)), ask)
        except ServiceUnavailableException as error:
            return self._core.without_verdict(error)

    def reserve(
        self,
        subject: str,
        provider: str,
        *,
        ttl_seconds: Optional[int] = None,
        **options: Unpack[AskOptions],
    ) -> Reservation:
        """Holds quota for a call. Settle it or release it; it expires after ``ttl_seconds``.

        Raises `UsageLimitExceededException`, `PricingException`, or `SubscriptionException`
        where the call is refused.
        """
        return self.hold(Ask(subject, provider, **options), ttl_seconds)

    def hold(self, ask: Ask, ttl_seconds: Optional[int] = None) -> Reservation:
        """`reserve`, of a call that is a value already."""
        try:
            return wire.reserved(self._send(wire.reserve(ask, ttl_seconds)), ask)
        except ServiceUnavailableException as error:
            return self._core.without_reservation(ask, error)

    def settle(self, reservation: Reservation, **used: Unpack[UsedOptions]) -> Receipt:
        """Records what a reserved call has used, and gives back the rest.

        Raises `TrackingException` where it can neither be recorded nor kept for later.
        """
        return self._tell(settlement(reservation, used))

    def release(self, reservation: Reservation) -> None:
        """Gives back what is held. A service that is away lets it expire."""
        if reservation.reservation_id is None:
            return
        try:
            wire.released(self._send(wire.release(reservation.reservation_id)))
        except ServiceUnavailableException as error:
            log.debug("a reservation is left to expire: %s", error)

    def record(self, subject: str, provider: str, **used: Unpack[EventOptions]) -> Receipt:
        """Records a call that was not reserved.

        Raises `TrackingException` where it can neither be recorded nor kept for later.
        """
        return self._tell(Entry.event(words.event(subject, provider, **used)))

    def call(
        self,
        subject: str,
        provider: str,
        *,
        ttl_seconds: Optional[int] = None,
        **options: Unpack[AskOptions],
    ) -> Call:
        """Holds quota while its block runs: ``with client.call(…) as call: …``."""
        return Call(self, Ask(subject, provider, **options), ttl_seconds)

    def waiting(self) -> int:
        """How many records wait here for the service."""
        return self._core.waiting()

    def flush(self, timeout_seconds: float = 5.0) -> bool:
        """Sends what waits; whether all of it is with the service within that time."""
        return self._core.flush(timeout_seconds)

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Sends what waits, and ends. Without a folder, what remains is lost, and logged."""
        self._core.close(timeout_seconds)
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _tell(self, entry: Entry) -> Receipt:
        try:
            return wire.recorded(self._send(told(entry)))
        except SubscriptionException as error:
            return self._core.keep(entry, error)

    def _send(self, request: wire.Request) -> wire.Answer:
        breaker = self._core.breaker
        breaker.enter()
        try:
            answer = self._transport.send(request)
        except ServiceUnavailableException:
            breaker.failed()
            raise
        breaker.worked()
        return answer


def told(entry: Entry) -> wire.Request:
    """The request that tells the service of one entry."""
    if entry.reservation_id is not None:
        return wire.settle(entry.reservation_id, entry.body)
    return wire.record(entry.body)


class Call(Report):
    """A call that holds quota while it runs.

    It is settled with what was said to be used, or else with its estimate. When its block raises
    and nothing was said to be used, it is released.
    """

    def __init__(self, client: Client, ask: Ask, ttl_seconds: Optional[int]) -> None:
        super().__init__()
        self._client = client
        self._ask = ask
        self._ttl_seconds = ttl_seconds
        #: What it holds, once it has begun.
        self.reservation: Optional[Reservation] = None
        #: What became of it, once it has been settled.
        self.receipt: Optional[Receipt] = None

    def __enter__(self) -> Call:
        self.reservation = self._client.hold(self._ask, self._ttl_seconds)
        self.restart()
        self._around = begin(self)
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        failure: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        end(self._around)
        assert self.reservation is not None
        used = self.settlement(self._ask, failure)
        try:
            if used is None:
                self._client.release(self.reservation)
            else:
                self.receipt = self._client.settle(self.reservation, **used)
        except SubscriptionException as error:
            if failure is None:
                raise
            # What the block raised is what its caller must hear.
            log.error("a call that failed could not be recorded: %s", error)
