"""What a caller says: a call to be made, and what it used."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Sequence, TypedDict, Union

from .provider import provider_id
from .values import plain, without_none

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: US dollars. A float counts by the digits that Python prints of it.
Money = Union[Decimal, str, int, float]


class AskOptions(TypedDict, total=False):
    """What may be said of a call beyond its subject and provider."""

    model: Optional[str]
    #: The estimate, by quantity, such as ``input_tokens``; ``calls`` is 1 unless said otherwise.
    usage: Optional[Mapping[str, int]]
    endpoint: Optional[str]
    max_tokens: Optional[int]
    #: Features that the plan must include.
    features: Sequence[str]
    service_tier: Optional[str]
    region: Optional[str]
    #: At most 16 short texts, kept with the event.
    metadata: Optional[Mapping[str, str]]


@dataclass(frozen=True)
class Ask:
    """A call that is about to be made."""

    subject: str
    provider: str
    model: Optional[str] = None
    usage: Optional[Mapping[str, int]] = None
    endpoint: Optional[str] = None
    max_tokens: Optional[int] = None
    features: Sequence[str] = ()
    service_tier: Optional[str] = None
    region: Optional[str] = None
    metadata: Optional[Mapping[str, str]] = None

    def body(self, **more: Any) -> Dict[str, Any]:
        """As the service reads it."""
        return without_none(
            subject=self.subject,
            provider=provider_id(self.provider),
            model=self.model,
            usage=None if self.usage is None else dict(self.usage),
            endpoint=self.endpoint,
            max_tokens=self.max_tokens,
            features=list(self.features) or None,
            service_tier=self.service_tier,
            region=self.region,
            metadata=None if self.metadata is None else dict(self.metadata),
            **more,
        )


class UsedOptions(TypedDict, total=False):
    """What may be said of a call that was made."""

    #: By quantity; or else ``response``.
    usage: Optional[Mapping[str, int]]
    #: What the provider answered: the service reads from it what was used.
    response: Any
    #: How to read it: ``chat``, ``responses``, ``anthropic``, ``embeddings``, …
    api_flavor: Optional[str]
    model: Optional[str]
    #: Wins over the price list.
    cost: Optional[Money]
    response_time_ms: Optional[int]
    status_code: Optional[int]
    error: Optional[str]
    occurred_at: Optional[datetime]
    request_id: Optional[str]
    metadata: Optional[Mapping[str, str]]


class EventOptions(UsedOptions, total=False):
    """What may be said of a call that was not reserved."""

    #: Makes recording it again harmless; given by this package where the caller gives none.
    event_id: Optional[str]
    endpoint: Optional[str]
    method: Optional[str]
    service_tier: Optional[str]
    region: Optional[str]


def used(
    *,
    usage: Optional[Mapping[str, int]] = None,
    response: Any = None,
    api_flavor: Optional[str] = None,
    model: Optional[str] = None,
    cost: Optional[Money] = None,
    response_time_ms: Optional[int] = None,
    status_code: Optional[int] = None,
    error: Optional[str] = None,
    occurred_at: Optional[datetime] = None,
    request_id: Optional[str] = None,
    metadata: Optional[Mapping[str, str]] = None,
) -> Dict[str, Any]:
    """The body of a settlement, and a part of an event's."""
    if usage is None and response is None:
        usage = {}
    return without_none(
        usage=None if usage is None else dict(usage),
        response=response,
        api_flavor=api_flavor,
        model=model,
        cost=None if cost is None else plain(cost),
        response_time_ms=response_time_ms,
        status_code=status_code,
        error=None if error is None else cut(error, ERROR_BYTES_MAX),
        occurred_at=None if occurred_at is None else written(occurred_at),
        request_id=request_id,
        metadata=None if metadata is None else dict(metadata),
    )


def event(
    subject: str,
    provider: str,
    *,
    event_id: Optional[str] = None,
    endpoint: Optional[str] = None,
    method: Optional[str] = None,
    service_tier: Optional[str] = None,
    region: Optional[str] = None,
    **what: Unpack[UsedOptions],
) -> Dict[str, Any]:
    """The body of an event.

    It has a name and a time from the start, so that it stays the same fact however often it is
    sent, and counts in the period in which it happened however late it arrives.
    """
    body = used(**what)
    body.setdefault("occurred_at", written(datetime.now(timezone.utc)))
    return {
        **without_none(
            event_id=event_id or f"py-{uuid.uuid4().hex}",
            subject=subject,
            provider=provider_id(provider),
            endpoint=endpoint,
            method=method,
            service_tier=service_tier,
            region=region,
        ),
        **body,
    }


#: The service takes no longer ones.
ERROR_BYTES_MAX = 4096


def cut(text: str, bytes_max: int) -> str:
    """The beginning of a text, so much as fits."""
    return text.encode("utf-8", "replace")[:bytes_max].decode("utf-8", "ignore")


def written(moment: datetime) -> str:
    """RFC 3339 in UTC. A time without a zone would be a guess, and is refused."""
    if moment.tzinfo is None:
        raise ValueError("occurred_at must have a time zone")
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Reservation:
    """Quota that is held for a call until it is known what was used."""

    ask: Ask
    #: ``None`` where the service was away and the caller chose to go on without it.
    reservation_id: Optional[str]
    expires_at: Optional[datetime] = None
    #: Headers for whoever made the call: what is left.
    headers: Mapping[str, str] = field(default_factory=dict)
