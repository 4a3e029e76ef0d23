"""The client for asyncio."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Coroutine, Mapping, Optional, Set, Type, TypeVar, Union

from . import ask as words
from . import wire
from .ask import Ask, AskOptions, EventOptions, Reservation, UsedOptions
from .async_transport import AsyncTransport
from .client import told
from .core import Core, settlement
from .delivery import OnRejected
from .errors import ServiceUnavailableException, SubscriptionException
from .outbox import Entry
from .report import Report, begin, end
from .values import Receipt, Verdict

if TYPE_CHECKING:
    from typing_extensions import Literal, Unpack

log = logging.getLogger("tollgate")

T = TypeVar("T")


class AsyncClient:
    """`tollgate.Client` for asyncio: the same settings, words and errors.

    What is told of calls is told to its end, also when the task that tells it is cancelled; and a
    reservation that a cancelled task waited for is released.
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
        self._transport = AsyncTransport(
            self._core.address, timeout_seconds=timeout_seconds, headers=headers, tls=tls
        )
        self._under_way: Set[asyncio.Task[Any]] = set()

    async def check(self, subject: str, provider: str, **options: Unpack[AskOptions]) -> Verdict:
        """See `tollgate.Client.check`."""
        return await self.weigh(Ask(subject, provider, **options))

    async def weigh(self, ask: Ask) -> Verdict:
        """`check`, of a call that is a value already."""
        try:
            return wire.checked(await self._send(wire.check(ask)), ask)
        except ServiceUnavailableException as error:
            return self._core.without_verdict(error)

    async def reserve(
        self,
        subject: str,
        provider: str,
        *,
        ttl_seconds: Optional[int] = None,
        **options: Unpack[AskOptions],
    ) -> Reservation:
        """See `tollgate.Client.reserve`."""
        return await self.hold(Ask(subject, provider, **options), ttl_seconds)

    async def hold(self, ask: Ask, ttl_seconds: Optional[int] = None) -> Reservation:
        """`reserve`, of a call that is a value already."""
        holding = self._start(self._hold(ask, ttl_seconds))
        try:
            return await asyncio.shield(holding)
        except asyncio.CancelledError:
            self._start(self._let_go(holding))
            raise

    async def settle(self, reservation: Reservation, **used: Unpack[UsedOptions]) -> Receipt:
        """See `tollgate.Client.settle`."""
        return await self._to_its_end(self._tell(settlement(reservation, used)))

    async def release(self, reservation: Reservation) -> None:
        """See `tollgate.Client.release`."""
        if reservation.reservation_id is not None:
            await self._to_its_end(self._release(reservation.reservation_id))

    async def record(
        self, subject: str, provider: str, **used: Unpack[EventOptions]
    ) -> Receipt:
        """See `tollgate.Client.record`."""
        entry = Entry.event(words.event(subject, provider, **used))
        return await self._to_its_end(self._tell(entry))

    def call(
        self,
        subject: str,
        provider: str,
        *,
        ttl_seconds: Optional[int] = None,
        **options: Unpack[AskOptions],
    ) -> AsyncCall:
        """Holds quota while its block runs: ``async with client.call(…) as call: …``."""
        return AsyncCall(self, Ask(subject, provider, **options), ttl_seconds)

    def waiting(self) -> int:
        """How many records wait here for the service."""
        return self._core.waiting()

    async def flush(self, timeout_seconds: float = 5.0) -> bool:
        """See `tollgate.Client.flush`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self._core.flush, timeout_seconds)

    async def close(self, timeout_seconds: float = 5.0) -> None:
        """See `tollgate.Client.close`. What is being told is told first."""
        loop = asyncio.get_running_loop()
        # Tasks of a loop that has ended cannot be waited for.
        ours = [task for task in self._under_way if task.get_loop() is loop]
        if ours:
            await asyncio.wait(ours, timeout=timeout_seconds)
        await loop.run_in_executor(None, self._core.close, timeout_seconds)
        self._transport.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def _hold(self, ask: Ask, ttl_seconds: Optional[int]) -> Reservation:
        try:
            return wire.reserved(await self._send(wire.reserve(ask, ttl_seconds)), ask)
        except ServiceUnavailableException as error:
            return self._core.without_reservation(ask, error)

    async def _let_go(self, holding: asyncio.Task[Reservation]) -> None:
        try:
            reservation = await holding
        except SubscriptionException:
            return
        if reservation.reservation_id is not None:
            await self._release(reservation.reservation_id)

    async def _release(self, reservation_id: str) -> None:
        try:
            wire.released(await self._send(wire.release(reservation_id)))
        except ServiceUnavailableException as error:
            log.debug("a reservation is left to expire: %s", error)

    async def _tell(self, entry: Entry) -> Receipt:
        try:
            return wire.recorded(await self._send(told(entry)))
        except SubscriptionException as error:
            return self._core.keep(entry, error)

    async def _send(self, request: wire.Request) -> wire.Answer:
        breaker = self._core.breaker
        breaker.enter()
        try:
            answer = await self._transport.send(request)
        except ServiceUnavailableException:
            breaker.failed()
            raise
        breaker.worked()
        return answer

    async def _to_its_end(self, telling: Coroutine[Any, Any, T]) -> T:
        """Whoever waits for it may be cancelled; it goes on."""
        return await asyncio.shield(self._start(telling))

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        # A loop keeps no hold of its tasks.
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        # Where nobody waits any more, an error is only logged.
        if not task.cancelled() and task.exception() is not None:
            log.debug("ended with %r", task.exception())


class AsyncCall(Report):
    """`tollgate.client.Call` for asyncio."""

    def __init__(self, client: AsyncClient, ask: Ask, ttl_seconds: Optional[int]) -> None:
        super().__init__()
        self._client = client
        self._ask = ask
        self._ttl_seconds = ttl_seconds
        #: What it holds, once it has begun.
        self.reservation: Optional[Reservation] = None
        #: What became of it, once it has been settled.
        self.receipt: Optional[Receipt] = None

    async def __aenter__(self) -> AsyncCall:
        self.reservation = await self._client.hold(self._ask, self._ttl_seconds)
        self.restart()
        self._around = begin(self)
        return self

    async def __aexit__(
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
                await self._client.release(self.reservation)
            else:
                self.receipt = await self._client.settle(self.reservation, **used)
        except SubscriptionException as error:
            if failure is None:
                raise
            # What the block raised is what its caller must hear.
            log.error("a call that failed could not be recorded: %s", error)
