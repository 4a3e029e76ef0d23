"""The seed's two service calls, under its names and with its signatures."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple

from .ask import Ask, EventOptions, Money
from .async_client import AsyncClient
from .client import Client
from .errors import ServiceUnavailableException
from .provider import provider_id
from .values import Receipt, Verdict, without_none
from .wire import denied_details, number, refusal

#: Whether the call may go ahead, why not, and the numbers.
Enforced = Tuple[bool, str, Dict[str, Any]]


class UsageService:
    """``await usage_service.enforce_usage_limits(…)`` before a call, and
    ``await usage_service.track_api_usage(…)`` after it."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def enforce_usage_limits(
        self,
        user_id: str,
        provider: str,
        tokens_requested: int = 0,
        *,
        model: Optional[str] = None,
    ) -> Enforced:
        """Whether a call would fit, a message for a person, and what it was decided on.

        A service that is away is a no with its message, or a yes where the client's ``on_failure``
        is ``allow``.
        """
        ask = asked(user_id, provider, tokens_requested, model)
        try:
            return enforced(await self._client.weigh(ask), ask)
        except ServiceUnavailableException as error:
            return False, error.message, {"provider": provider_id(provider), "away": True}

    async def track_api_usage(
        self,
        user_id: str,
        provider: str,
        endpoint: str,
        method: str,
        tokens_input: int = 0,
        tokens_output: int = 0,
        cost: Optional[Money] = None,
        response_time: float = 0.0,
        status_code: int = 200,
        *,
        model: Optional[str] = None,
        error_message: Optional[str] = None,
        event_id: Optional[str] = None,
    ) -> Receipt:
        """Records a call that was made; ``response_time`` is in seconds.

        Raises `TrackingException` where it can neither be recorded nor kept for later.
        """
        made = tracked(
            endpoint, method, tokens_input, tokens_output, cost, response_time, status_code
        )
        made.update({"model": model, "error": error_message, "event_id": event_id})
        return await self._client.record(user_id, provider, **made)


class SyncUsageService:
    """`UsageService` for threads."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def enforce_usage_limits(
        self,
        user_id: str,
        provider: str,
        tokens_requested: int = 0,
        *,
        model: Optional[str] = None,
    ) -> Enforced:
        """See `UsageService.enforce_usage_limits`."""
        ask = asked(user_id, provider, tokens_requested, model)
        try:
            return enforced(self._client.weigh(ask), ask)
        except ServiceUnavailableException as error:
            return False, error.message, {"provider": provider_id(provider), "away": True}

    def track_api_usage(
        self,
        user_id: str,
        provider: str,
        endpoint: str,
        method: str,
        tokens_input: int = 0,
        tokens_output: int = 0,
        cost: Optional[Money] = None,
        response_time: float = 0.0,
        status_code: int = 200,
        *,
        model: Optional[str] = None,
        error_message: Optional[str] = None,
        event_id: Optional[str] = None,
    ) -> Receipt:
        """See `UsageService.track_api_usage`."""
        made = tracked(
            endpoint, method, tokens_input, tokens_output, cost, response_time, status_code
        )
        made.update({"model": model, "error": error_message, "event_id": event_id})
        return self._client.record(user_id, provider, **made)


def asked(user_id: str, provider: str, tokens_requested: int, model: Optional[str]) -> Ask:
    """No tokens requested are tokens that nobody knows yet: the service estimates them."""
    usage = {"input_tokens": tokens_requested} if tokens_requested else None
    return Ask(user_id, provider, model=model, usage=usage)


def enforced(verdict: Verdict, ask: Ask) -> Enforced:
    info: Dict[str, Any] = {
        "provider": provider_id(ask.provider),
        "estimated_cost": number(verdict.estimated_cost),
        "quotas": [standing(quota) for quota in verdict.quotas],
    }
    if verdict.denied is None:
        message = "The usage service is away" if verdict.assumed else "Within the limits"
        return True, message, {**info, "away": True} if verdict.assumed else info
    info.update(denied_details(verdict.denied, ask))
    return False, refusal(verdict.denied, ask).message, info


def standing(quota: Any) -> Mapping[str, Any]:
    return {
        "name": quota.name,
        "subject": quota.subject,
        "plan": quota.plan,
        "limit": number(quota.limit),
        "used": number(quota.used),
        "reserved": number(quota.reserved),
        "remaining": number(quota.remaining),
    }


def tracked(
    endpoint: str,
    method: str,
    tokens_input: int,
    tokens_output: int,
    cost: Optional[Money],
    response_time: float,
    status_code: int,
) -> EventOptions:
    """A search has no tokens: what is 0 is left to the price list."""
    usage = without_none(
        input_tokens=tokens_input or None, output_tokens=tokens_output or None
    )
    return {
        "endpoint": endpoint,
        "method": method,
        "usage": usage,
        "cost": cost,
        "response_time_ms": round(response_time * 1000),
        "status_code": status_code,
    }
