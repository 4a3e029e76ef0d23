"""A middleware for FastAPI, Starlette and any other ASGI app."""

from __future__ import annotations

import inspect
import json
import logging
from typing import (
    TYPE_CHECKING,
    Any,
    Awaitable,
    Callable,
    Dict,
    Mapping,
    MutableMapping,
    Optional,
    Tuple,
    Union,
)

from .ask import Ask, Reservation, UsedOptions
from .async_client import AsyncClient
from .detection import Detect, Detected, Incoming, by_patterns
from .errors import SubscriptionException
from .exchange import Answering, Asking
from .report import Report, begin, described, end, usage_in
from .wire import refusal

if TYPE_CHECKING:
    from typing_extensions import Literal

log = logging.getLogger("tollgate")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Says who is metered: a user id, or ``None`` for somebody who must sign in first.
Subject = Callable[[Scope], Union[Optional[str], Awaitable[Optional[str]]]]


def subject_from_header(name: str) -> Subject:
    """The subject is in a header. Only where something in front of the app sets it: a caller that
    may choose the header chooses who pays."""
    wanted = name.lower().encode("latin-1")

    def subject(scope: Scope) -> Optional[str]:
        for header, value in scope["headers"]:
            if header.lower() == wanted:
                return bytes(value).decode("latin-1") or None
        return None

    return subject


def subject_from_state(name: str = "user_id") -> Subject:
    """The subject is in ``request.state``, where a middleware around this one has put it."""

    def subject(scope: Scope) -> Optional[str]:
        value = (scope.get("state") or {}).get(name)
        return None if value is None else str(value)

    return subject


def estimate_of(request: Incoming) -> Mapping[str, int]:
    """No amounts: the pricing policy estimates them, also from ``max_tokens`` in the body."""
    return {}


class TollgateMiddleware:
    """Asks before a request that will call a provider, and tells what it used after it.

    ``subject`` says who is metered; without one a request is refused with 401. ``detect`` says
    which provider a request will call; requests that call none pass untouched.

    ``mode``: ``reserve`` holds quota while the request runs, so that concurrent requests never
    share the last unit; ``check`` asks and records, as the seed does, and may let a few more in.

    What was used is what the handler says (`report_usage`, `report_response`), or else what a JSON
    answer itself says (``usage_of``), or else one call. A request that the app answers with 4xx
    uses nothing, and one that fails (5xx, or an exception) counts as a failure without a call,
    unless the handler said what was used.

    A refused request is answered with the seed's error body, and with ``Retry-After`` and
    ``RateLimit`` where the service gives them.
    """

    def __init__(
        self,
        app: App,
        *,
        client: AsyncClient,
        subject: Subject,
        detect: Optional[Detect] = None,
        estimate: Callable[[Incoming], Mapping[str, int]] = estimate_of,
        usage_of: Callable[[Any], Optional[Mapping[str, int]]] = usage_in,
        mode: Literal["reserve", "check"] = "reserve",
        ttl_seconds: Optional[int] = None,
        peek_bytes_max: int = 64 * 1024,
        close_client: bool = True,
    ) -> None:
        """``peek_bytes_max``: how long a JSON body may be that is looked into; 0 for none.
        ``close_client``: whether the client ends with the app."""
        if mode not in ("reserve", "check"):
            raise ValueError(f"mode must be 'reserve' or 'check', not {mode!r}")
        self._app = app
        self._client = client
        self._subject = subject
        self._detect = by_patterns() if detect is None else detect
        self._estimate = estimate
        self._usage_of = usage_of
        self._mode = mode
        self._ttl_seconds = ttl_seconds
        self._peek_bytes_max = peek_bytes_max
        self._close_client = close_client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" and self._close_client:
            await self._app(scope, receive, self._closing(send))
            return
        if scope["type"] != "http" or scope["method"] == "OPTIONS":
            await self._app(scope, receive, send)
            return
        asking = Asking(scope, receive, self._peek_bytes_max)
        incoming = await asking.incoming()
        detected = self._detect(incoming)
        if detected is None:
            await self._app(scope, asking.receive, send)
            return
        try:
            ask = await self._ask(scope, incoming, detected)
            reservation = await self._admit(ask)
        except SubscriptionException as refused:
            await answer(send, refused)
            return
        await self._run(scope, asking, send, reservation)

    async def _ask(self, scope: Scope, incoming: Incoming, detected: Detected) -> Ask:
        found = self._subject(scope)
        subject = await found if inspect.isawaitable(found) else found
        if subject is None:
            raise SubscriptionException("sign in first: nobody is named", status_code=401)
        return Ask(
            subject,
            detected.provider,
            model=detected.model,
            usage=dict(self._estimate(incoming)) or None,
            endpoint=incoming.path,
            max_tokens=max_tokens(incoming.json),
            metadata={"method": incoming.method} if self._mode == "reserve" else None,
        )

    async def _admit(self, ask: Ask) -> Reservation:
        """Raises what the service refuses."""
        if self._mode == "reserve":
            return await self._client.hold(ask, self._ttl_seconds)
        verdict = await self._client.weigh(ask)
        if verdict.denied is not None:
            raise refusal(verdict.denied, ask)
        return Reservation(ask, None)

    async def _run(
        self, scope: Scope, asking: Asking, send: Send, reservation: Reservation
    ) -> None:
        report = Report()
        answering = Answering(send, self._peek_bytes_max, reservation.headers)
        failure: Optional[BaseException] = None
        around = begin(report)
        try:
            await self._app(scope, asking.receive, answering.send)
        except BaseException as error:
            failure = error
            raise
        finally:
            end(around)
            try:
                await self._tell(report, answering, failure, scope["method"], reservation)
            except SubscriptionException as error:
                # The caller has its answer already.
                log.error("a request could not be recorded: %s", error)

    async def _tell(
        self,
        report: Report,
        answering: Answering,
        failure: Optional[BaseException],
        method: str,
        reservation: Reservation,
    ) -> None:
        """Settles or records what was used; releases where nothing was."""
        ask = reservation.ask
        status = answering.status or 500
        used = self._used(report, answering, failure, status)
        held = reservation.reservation_id is not None
        if used is not None and held:
            await self._client.settle(reservation, **used)
            return
        if held:
            await self._client.release(reservation)
        if used is None and 400 <= status < 500:
            return
        if used is None:
            # A failure is worth knowing, and no use of quota.
            used = {**report.facts(usage={"calls": 0}), "status_code": status}
            if failure is not None:
                used["error"] = described(failure)
        event: Dict[str, Any] = {
            "endpoint": ask.endpoint,
            "method": method,
            "model": ask.model,
            **used,
        }
        await self._client.record(ask.subject, ask.provider, **event)

    def _used(
        self,
        report: Report,
        answering: Answering,
        failure: Optional[BaseException],
        status: int,
    ) -> Optional[UsedOptions]:
        """``None`` where nothing was used."""
        facts: Dict[str, Any] = {"status_code": status}
        if failure is not None:
            facts["error"] = described(failure)
        if report.said:
            return report.facts(**facts)
        if failure is not None or status >= 400:
            return None
        found = self._usage_of(answering.json())
        return report.facts(usage=dict(found or {}), **facts)

    def _closing(self, send: Send) -> Send:
        """Closes the client when the app has shut down."""

        async def sending(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                await self._client.close()
            await send(message)

        return sending


def max_tokens(body: Any) -> Optional[int]:
    """The bound that a request sets itself, under its usual names."""
    if not isinstance(body, dict):
        return None
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        value = body.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32:
            return value
    return None


async def answer(send: Send, refused: SubscriptionException) -> None:
    """Tells the caller, in the seed's words."""
    body = json.dumps(refused.as_response()).encode("utf-8")
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    headers += [header(name, value) for name, value in refused.headers.items()]
    start = {"type": "http.response.start", "status": refused.status_code, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})


def header(name: str, value: str) -> Tuple[bytes, bytes]:
    return name.encode("latin-1"), value.encode("latin-1")
