"""The names of the seed's ``services.subscription_exception_handler``, for an import that changes
in one word."""

from .errors import (
    PricingException,
    SubscriptionException,
    TrackingException,
    UsageLimitExceededException,
    handle_usage_limit_error,
)

__all__ = [
    "PricingException",
    "SubscriptionException",
    "TrackingException",
    "UsageLimitExceededException",
    "handle_usage_limit_error",
]
