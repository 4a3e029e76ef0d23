"""What the service answers. Amounts are exact decimals; money is in US dollars."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Dict, Mapping, Optional, Tuple


@dataclass(frozen=True)
class Quota:
    """Where a call stands on one quota of one level of its subject."""

    subject: str
    plan: Optional[str]
    name: str
    #: ``hard`` refuses what does not fit, ``soft`` only flags it.
    mode: str
    window: str
    #: ``None`` is unlimited.
    limit: Optional[Decimal]
    used: Decimal
    reserved: Decimal
    remaining: Optional[Decimal]
    exceeded: bool
    resets_at: Optional[datetime]


@dataclass(frozen=True)
class Denied:
    """Why a call was refused; what is about a quota is ``None`` where none is to blame."""

    #: ``quota_exceeded``, ``not_in_plan``, ``subscription_inactive``, ``unpriced``,
    #: ``policy_error``, or a policy's own word.
    reason: str
    #: For a person.
    message: str
    subject: str
    plan: Optional[str]
    quota: Optional[str]
    limit: Optional[Decimal]
    used: Optional[Decimal]
    reserved: Optional[Decimal]
    requested: Optional[Decimal]
    resets_at: Optional[datetime]


@dataclass(frozen=True)
class Verdict:
    """Whether a call would fit."""

    allowed: bool
    estimated_cost: Optional[Decimal] = None
    quotas: Tuple[Quota, ...] = ()
    denied: Optional[Denied] = None
    revision: Optional[str] = None
    #: The service was away, and the caller chose to go on without it.
    assumed: bool = False


@dataclass(frozen=True)
class Charge:
    """One line of what an event costs."""

    quantity: str
    amount: Decimal
    unit_price: Decimal
    cost: Decimal


@dataclass(frozen=True)
class Receipt:
    """What became of a recorded event."""

    event_id: Optional[str]
    #: ``None`` where nobody prices the event, or nobody knows yet.
    cost: Optional[Decimal] = None
    unpriced: bool = False
    charges: Tuple[Charge, ...] = ()
    #: A hard limit was passed.
    overage: bool = False
    #: The hold had expired before it was settled.
    late: bool = False
    #: It was recorded before, under the same name.
    duplicate: bool = False
    #: As the service words them.
    alerts: Tuple[Mapping[str, Any], ...] = field(default=())
    #: It waits here until the service is back; the fields above are not known yet.
    queued: bool = False


def quota(json: Mapping[str, Any]) -> Quota:
    return Quota(
        subject=json["subject"],
        plan=json["plan"],
        name=json["name"],
        mode=json["mode"],
        window=json["window"],
        limit=amount(json["limit"]),
        used=Decimal(json["used"]),
        reserved=Decimal(json["reserved"]),
        remaining=amount(json["remaining"]),
        exceeded=json["exceeded"],
        resets_at=instant(json["resets_at"]),
    )


def denied(json: Optional[Mapping[str, Any]]) -> Optional[Denied]:
    if json is None:
        return None
    return Denied(
        reason=json["reason"],
        message=json["message"],
        subject=json["subject"],
        plan=json["plan"],
        quota=json["quota"],
        limit=amount(json["limit"]),
        used=amount(json["used"]),
        reserved=amount(json["reserved"]),
        requested=amount(json["requested"]),
        resets_at=instant(json["resets_at"]),
    )


def verdict(json: Mapping[str, Any]) -> Verdict:
    return Verdict(
        allowed=json["allowed"],
        estimated_cost=amount(json["estimated_cost"]),
        quotas=tuple(quota(each) for each in json["quotas"]),
        denied=denied(json["denied"]),
        revision=json["revision"],
    )


def receipt(json: Mapping[str, Any]) -> Receipt:
    return Receipt(
        event_id=json["event_id"],
        cost=amount(json["cost"]),
        unpriced=json["unpriced"],
        charges=tuple(charge(each) for each in json["charges"]),
        overage=json["overage"],
        late=json["late"],
        duplicate=json.get("duplicate", False),
        alerts=tuple(json["alerts"]),
    )


def charge(json: Mapping[str, Any]) -> Charge:
    return Charge(
        quantity=json["quantity"],
        amount=Decimal(json["amount"]),
        unit_price=Decimal(json["unit_price"]),
        cost=Decimal(json["cost"]),
    )


def amount(text: Optional[str]) -> Optional[Decimal]:
    return None if text is None else Decimal(text)


def instant(text: Optional[str]) -> Optional[datetime]:
    """Reads RFC 3339 in UTC with any number of decimals; what is finer than microseconds is cut."""
    if text is None:
        return None
    whole, _, fraction = text.rstrip("Z").partition(".")
    moment = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return moment + timedelta(microseconds=int(fraction[:6].ljust(6, "0")))


def plain(number: object) -> str:
    """The digits of an amount, as the service reads them: no exponent.

    A float gives the digits that Python prints, so ``0.00125`` is exactly that.
    """
    return format(Decimal(str(number)), "f")


def without_none(**fields: Any) -> Dict[str, Any]:
    """The fields that have a value: the service takes absent for unstated."""
    return {name: value for name, value in fields.items() if value is not None}
