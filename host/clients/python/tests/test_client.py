"""Asking, holding, settling and recording, against the real service."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from conftest import NewSubject
from service import Service
from tollgate import (
    APIProvider,
    Client,
    InvalidRequestException,
    PricingException,
    SubscriptionException,
    TrackingException,
    UsageLimitExceededException,
)

FLASH = "gemini-2.5-flash"


def test_a_check_tells_where_the_subject_stands_and_holds_nothing(
    client: Client, subject: NewSubject
) -> None:
    ann = subject("only-5")
    for _ in range(2):
        verdict = client.check(
            ann, APIProvider.GEMINI, model=FLASH, usage={"input_tokens": 1000, "output_tokens": 500}
        )
        assert verdict.allowed and not verdict.assumed
        assert verdict.estimated_cost == Decimal("0.0003125")
        (quota,) = verdict.quotas
        assert (quota.name, quota.mode, quota.window) == ("gemini_calls", "hard", "lifetime")
        assert quota.limit == 5 and quota.reserved == 0 and quota.remaining == 5


def test_a_check_that_says_no_says_why(client: Client, subject: NewSubject) -> None:
    verdict = client.check(subject("only-0"), "gemini")
    assert not verdict.allowed
    assert verdict.denied is not None
    assert (verdict.denied.reason, verdict.denied.quota) == ("quota_exceeded", "gemini_calls")


def test_a_settled_reservation_costs_what_was_used_to_the_last_digit(
    client: Client, subject: NewSubject, service: Service
) -> None:
    ann = subject("only-5")
    reservation = client.reserve(ann, "gemini", model=FLASH, endpoint="/api/generate")
    assert client.check(ann, "gemini").quotas[0].reserved == 1
    receipt = client.settle(
        reservation, usage={"input_tokens": 1000, "output_tokens": 500}, status_code=200
    )
    assert receipt.cost == Decimal("0.0003125")
    assert [charge.quantity for charge in receipt.charges] == ["input_tokens", "output_tokens"]
    again = client.settle(
        reservation, usage={"input_tokens": 1000, "output_tokens": 500}, status_code=200
    )
    assert again.event_id == receipt.event_id
    (event,) = service.events(ann)
    assert (event["endpoint"], event["status_code"]) == ("/api/generate", 200)


def test_a_released_reservation_leaves_nothing(
    client: Client, subject: NewSubject, service: Service
) -> None:
    ann = subject("only-1")
    reservation = client.reserve(ann, "gemini")
    client.release(reservation)
    client.release(reservation)
    assert client.check(ann, "gemini").quotas[0].remaining == 1
    assert service.events(ann) == []


def test_a_full_quota_raises_with_its_numbers_and_what_the_caller_should_be_told(
    client: Client, subject: NewSubject
) -> None:
    ann = subject("only-1")
    client.record(ann, "gemini", model=FLASH, usage={"input_tokens": 1})
    with pytest.raises(UsageLimitExceededException) as raised:
        client.reserve(ann, "gemini")
    refused = raised.value
    assert refused.status_code == 429
    assert refused.details == {
        "provider": "gemini",
        "limit_type": "gemini_calls",
        "current_usage": 1,
        "limit_value": 1,
    }
    assert refused.headers["ratelimit-policy"].startswith('"gemini_calls";q=1')
    said = refused.as_response()
    assert (said["success"], said["error"], said["user_id"]) == (
        False,
        "UsageLimitExceededException",
        ann,
    )


def test_a_provider_that_the_plan_does_not_sell_is_refused_with_403(
    client: Client, subject: NewSubject
) -> None:
    with pytest.raises(SubscriptionException) as raised:
        client.reserve(subject("only-1"), "openai")
    assert raised.value.status_code == 403
    assert raised.value.details["reason"] == "not_in_plan"


def test_a_model_that_nobody_prices_is_a_pricing_exception_where_cost_is_limited(
    client: Client, subject: NewSubject
) -> None:
    with pytest.raises(PricingException) as raised:
        client.reserve(subject("pro"), "gemini", model="no-such-model")
    assert raised.value.status_code == 422


def test_a_field_that_is_not_as_it_should_be_is_named(client: Client) -> None:
    with pytest.raises(InvalidRequestException) as raised:
        client.check("", "gemini")
    assert raised.value.details["errors"][0]["pointer"] == "/subject"
    with pytest.raises(TrackingException, match="/usage/input_tokens"):
        client.record("ann", "gemini", usage={"input_tokens": -1})


def test_a_misspelt_option_is_an_error_and_no_unlimited_call(client: Client) -> None:
    misspelt: Any = {"modle": FLASH}
    with pytest.raises(TypeError, match="modle"):
        client.check("ann", "gemini", **misspelt)
    with pytest.raises(TypeError, match="modle"):
        client.record("ann", "gemini", **misspelt)


def test_an_event_that_is_recorded_twice_counts_once(
    client: Client, subject: NewSubject, service: Service
) -> None:
    ann = subject("only-5")
    from datetime import datetime, timezone

    at = datetime.now(timezone.utc)
    receipts = [client.record(ann, "gemini", event_id="e-1", occurred_at=at) for _ in range(2)]
    assert [receipt.duplicate for receipt in receipts] == [False, True]
    assert service.calls(ann) == 1


def test_what_a_provider_answered_is_read_by_the_service(
    client: Client, subject: NewSubject, service: Service
) -> None:
    ann = subject("only-5")
    answer = {
        "modelVersion": FLASH,
        "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 500},
    }
    with client.call(ann, "gemini", model=FLASH) as call:
        call.answered(answer)
    assert call.receipt is not None and call.receipt.cost == Decimal("0.0003125")


def test_a_cost_that_the_caller_gives_is_taken_digit_by_digit(
    client: Client, subject: NewSubject
) -> None:
    ann = subject("only-5")
    for given, exact in ((0.00125, "0.00125"), (1e-7, "0.0000001"), (Decimal("0.10"), "0.1")):
        assert client.record(ann, "gemini", cost=given).cost == Decimal(exact)
