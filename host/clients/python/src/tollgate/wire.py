"""Requests and answers as values: what both clients share, without any network."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, NoReturn, Optional, Sequence, Type
from urllib.parse import quote

from . import values
from .ask import Ask, Reservation, written
from .errors import (
    InvalidRequestException,
    PricingException,
    ServiceUnavailableException,
    SubscriptionException,
    UsageLimitExceededException,
)
from .provider import provider_id

#: Of an answer's headers, those for whoever made the call.
PASSED_ON = ("retry-after", "ratelimit", "ratelimit-policy")

#: What the service says of requests that it will never take. Any other refusal comes from
#: something between, or from a service that is not itself: it may be better later.
NEVER = (400, 409, 413, 422)


@dataclass(frozen=True)
class Request:
    """A request that can be sent again without harm."""

    method: str
    path: str
    body: Optional[bytes] = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    status: int
    #: By their names in lower case.
    headers: Mapping[str, str]
    body: bytes


def check(ask: Ask) -> Request:
    return post("/v1/check", ask.body())


def reserve(ask: Ask, ttl_seconds: Optional[int]) -> Request:
    """A key makes sure that the request holds once, also if it has to be sent again."""
    return post(
        "/v1/reservations",
        ask.body(ttl_seconds=ttl_seconds),
        {"idempotency-key": uuid.uuid4().hex},
    )


def settle(reservation_id: str, body: Mapping[str, Any]) -> Request:
    return post(f"/v1/reservations/{quote(reservation_id, safe='')}/settle", body)


def release(reservation_id: str) -> Request:
    return Request("DELETE", f"/v1/reservations/{quote(reservation_id, safe='')}")


def record(body: Any) -> Request:
    """One event, or a list of them."""
    return post("/v1/usage", body)


def post(path: str, body: Any, headers: Optional[Mapping[str, str]] = None) -> Request:
    return Request(
        "POST", path, encoded(body), {"content-type": "application/json", **(headers or {})}
    )


def encoded(body: Any) -> bytes:
    """Compact JSON; ``NaN`` and infinities, which are not JSON, are refused."""
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")


def checked(answer: Answer, ask: Ask) -> values.Verdict:
    return values.verdict(understood(answer, ask))


def reserved(answer: Answer, ask: Ask) -> Reservation:
    body = understood(answer, ask)
    return Reservation(
        ask,
        body["reservation_id"],
        expires_at=values.instant(body["expires_at"]),
        headers=passed_on(answer),
    )


def recorded(answer: Answer) -> values.Receipt:
    return values.receipt(understood(answer))


def released(answer: Answer) -> None:
    if answer.status != 204:
        understood(answer)


def understood(answer: Answer, ask: Optional[Ask] = None) -> Dict[str, Any]:
    """The body of an answer that says yes; raises what another one says."""
    body: Any = None
    if answer.headers.get("content-type", "").split(";")[0].strip().endswith("json"):
        try:
            body = json.loads(answer.body)
        except ValueError:
            body = None
    if not isinstance(body, dict):
        # Not the service: something between, or none at all. It may be better soon.
        raise ServiceUnavailableException(
            f"the service answered {answer.status} without a JSON object"
        )
    if answer.status < 400:
        return body
    fail(answer, body, ask)


def fail(answer: Answer, body: Mapping[str, Any], ask: Optional[Ask]) -> NoReturn:
    denied = values.denied(body.get("denied"))
    detail = str(body.get("detail") or body.get("title") or f"status {answer.status}")
    if denied is not None:
        raise refusal(denied, ask, answer.status, passed_on(answer))
    ours = str(body.get("type", "")).startswith("urn:tollgate:")
    if answer.status not in NEVER and not (answer.status == 404 and ours):
        raise ServiceUnavailableException(
            f"the service cannot work now: {detail} (status {answer.status})"
        )
    raise InvalidRequestException(
        detail,
        user_id=None if ask is None else ask.subject,
        details=problem_details(body),
        status_code=answer.status,
    )


def refusal(
    denied: values.Denied,
    ask: Optional[Ask],
    status: Optional[int] = None,
    headers: Optional[Mapping[str, str]] = None,
) -> SubscriptionException:
    """The exception that says what the service refused."""
    kinds: Dict[str, Type[SubscriptionException]] = {
        "quota_exceeded": UsageLimitExceededException,
        "unpriced": PricingException,
    }
    kind = kinds.get(denied.reason, SubscriptionException)
    if status is None:
        status = 503 if denied.reason == "policy_error" else kind.default_status
    return kind(
        denied.message,
        user_id=denied.subject if ask is None else ask.subject,
        details=denied_details(denied, ask),
        status_code=status,
        denied=denied,
        headers=headers,
    )


def denied_details(denied: values.Denied, ask: Optional[Ask]) -> Dict[str, Any]:
    """Numbers, as dashboards read them."""
    details: Dict[str, Any] = values.without_none(
        provider=None if ask is None else provider_id(ask.provider),
        limit_type=denied.quota,
        current_usage=number(denied.used),
        limit_value=number(denied.limit),
        resets_at=None if denied.resets_at is None else written(denied.resets_at),
    )
    if denied.reason != "quota_exceeded":
        details["reason"] = denied.reason
    return details


def number(amount: Any) -> Any:
    """A number for JSON: whole where it is whole."""
    if amount is None:
        return None
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def problem_details(body: Mapping[str, Any]) -> Dict[str, Any]:
    """Which fields are wrong, if the answer says so."""
    errors: Sequence[Any] = body.get("errors") or ()
    return {"errors": list(errors)} if errors else {}


def passed_on(answer: Answer) -> Dict[str, str]:
    return {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
