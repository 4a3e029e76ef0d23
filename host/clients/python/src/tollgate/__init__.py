"""Meters and limits API use with Tollgate.

`Client` and `AsyncClient` ask the service before a call and tell it after; `metered` and
``client.call`` hold quota around one; `TollgateMiddleware` does it for a whole app; and
`UsageService` has the seed's two calls.
"""

from .ask import Ask, Reservation
from .asgi import TollgateMiddleware, subject_from_header, subject_from_state
from .async_client import AsyncCall, AsyncClient
from .client import Call, Client
from .detection import DEFAULT_PATTERNS, Detected, Incoming, Pattern, by_patterns
from .errors import (
    InvalidRequestException,
    PricingException,
    ServiceUnavailableException,
    SubscriptionException,
    TrackingException,
    UsageLimitExceededException,
    handle_usage_limit_error,
)
from .metered import metered
from .provider import APIProvider
from .report import current_call, report_response, report_usage
from .usage_service import SyncUsageService, UsageService
from .values import Charge, Denied, Quota, Receipt, Verdict

__all__ = [
    "APIProvider",
    "Ask",
    "AsyncCall",
    "AsyncClient",
    "Call",
    "Charge",
    "Client",
    "DEFAULT_PATTERNS",
    "Denied",
    "Detected",
    "Incoming",
    "InvalidRequestException",
    "Pattern",
    "PricingException",
    "Quota",
    "Receipt",
    "Reservation",
    "ServiceUnavailableException",
    "SubscriptionException",
    "SyncUsageService",
    "TollgateMiddleware",
    "TrackingException",
    "UsageLimitExceededException",
    "UsageService",
    "Verdict",
    "by_patterns",
    "current_call",
    "handle_usage_limit_error",
    "metered",
    "report_response",
    "report_usage",
    "subject_from_header",
    "subject_from_state",
]
