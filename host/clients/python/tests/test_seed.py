"""The seed document's own lines of Python, as they stand there."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from conftest import NewSubject
from fastapi.responses import JSONResponse
from service import Service
from tollgate import (
    APIProvider,
    AsyncClient,
    Client,
    PricingException,
    SubscriptionException,
    SyncUsageService,
    TrackingException,
    UsageLimitExceededException,
    UsageService,
)
from tollgate.subscription_exception_handler import handle_usage_limit_error


def test_usage_is_tracked_as_the_seed_writes_it(service: Service, subject: NewSubject) -> None:
    user_id = subject("only-5")

    async def run() -> None:
        async with AsyncClient(service.url, timeout_seconds=20) as client:
            usage_service = UsageService(client)
            await usage_service.track_api_usage(
                user_id=user_id,
                provider=APIProvider.GEMINI,
                endpoint="/api/generate",
                method="POST",
                tokens_input=1000,
                tokens_output=500,
                cost=0.00125,
                response_time=2.5,
            )

    asyncio.run(run())
    (event,) = service.events(user_id)
    assert (event["endpoint"], event["method"]) == ("/api/generate", "POST")
    assert event["usage"] == {"calls": 1, "input_tokens": 1000, "output_tokens": 500}
    assert (event["cost"], event["cost_given"]) == ("0.00125", True)
    assert (event["response_time_ms"], event["status_code"]) == (2500, 200)


def test_limits_are_enforced_as_the_seed_writes_it(service: Service, subject: NewSubject) -> None:
    user_id = subject("only-1")

    async def enforce(usage_service: UsageService) -> Any:
        can_proceed, message, usage_info = await usage_service.enforce_usage_limits(
            user_id=user_id, provider=APIProvider.GEMINI, tokens_requested=1000
        )

        if not can_proceed:
            return JSONResponse(
                status_code=429, content={"error": "Usage limit exceeded", "message": message}
            )
        return usage_info

    async def run() -> None:
        async with AsyncClient(service.url, timeout_seconds=20) as client:
            usage_service = UsageService(client)
            info = await enforce(usage_service)
            assert info["quotas"][0]["remaining"] == 1
            await usage_service.track_api_usage(user_id, APIProvider.GEMINI, "/x", "POST", 1, 2)
            refused = await enforce(usage_service)
            assert refused.status_code == 429 and b"gemini_calls" in refused.body

    asyncio.run(run())


def test_the_same_calls_are_there_for_threads(
    service: Service, subject: NewSubject, client: Client
) -> None:
    user_id = subject("only-1")
    usage_service = SyncUsageService(client)
    assert usage_service.enforce_usage_limits(user_id, APIProvider.GEMINI, 10)[0]
    usage_service.track_api_usage(
        user_id, "gemini", "/x", "POST", response_time=0.25, status_code=503, error_message="busy"
    )
    can_proceed, message, info = usage_service.enforce_usage_limits(user_id, "gemini")
    assert not can_proceed and "limit of 1" in message
    assert (info["limit_type"], info["current_usage"], info["limit_value"]) == (
        "gemini_calls",
        1,
        1,
    )
    (event,) = service.events(user_id)
    assert (event["error"], event["response_time_ms"]) == ("busy", 250)


def test_the_sync_and_the_async_calls_take_the_same() -> None:
    for name in ("track_api_usage", "enforce_usage_limits"):
        plain = inspect.signature(getattr(SyncUsageService, name))
        waiting = inspect.signature(getattr(UsageService, name))
        assert plain == waiting
    for name in ("__init__", "check", "reserve", "settle", "release", "record", "call", "hold"):
        plain = inspect.signature(getattr(Client, name))
        waiting = inspect.signature(getattr(AsyncClient, name))
        assert plain.parameters == waiting.parameters, name


def test_a_limit_error_is_handled_as_the_seed_writes_it() -> None:
    error_response = handle_usage_limit_error(
        user_id="user123",
        provider=APIProvider.GEMINI,
        limit_type="api_calls",
        current_usage=1000,
        limit_value=1000,
    )
    timestamp = error_response.pop("timestamp")
    assert timestamp.endswith("Z")
    assert error_response == {
        "success": False,
        "error": "UsageLimitExceededException",
        "message": "The limit of 1000 on api_calls of gemini is reached: 1000 used.",
        "details": {
            "provider": "gemini",
            "limit_type": "api_calls",
            "current_usage": 1000,
            "limit_value": 1000,
        },
        "user_id": "user123",
    }


def test_one_clause_catches_all_four_exceptions() -> None:
    kinds = (UsageLimitExceededException, PricingException, TrackingException)
    assert all(issubclass(kind, SubscriptionException) for kind in kinds)
    assert [kind("x").as_response()["error"] for kind in kinds] == [
        "UsageLimitExceededException",
        "PricingException",
        "TrackingException",
    ]
