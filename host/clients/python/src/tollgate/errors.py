"""What can go wrong, under the four names that dashboards know."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar, Dict, Mapping, Optional

from .provider import provider_id

if TYPE_CHECKING:
    from .values import Denied


class SubscriptionException(Exception):
    """Anything about subscriptions and usage that did not go as asked."""

    #: The name under which callers are told of it.
    error_type: ClassVar[str] = "SubscriptionException"
    #: The HTTP status that suits it where nothing says otherwise.
    default_status: ClassVar[int] = 403

    def __init__(
        self,
        message: str,
        *,
        user_id: Optional[str] = None,
        details: Optional[Mapping[str, Any]] = None,
        status_code: Optional[int] = None,
        denied: Optional[Denied] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.user_id = user_id
        self.details: Dict[str, Any] = dict(details or {})
        self.status_code = self.default_status if status_code is None else status_code
        #: The service's own words where it refused a call.
        self.denied = denied
        #: Headers for whoever made the call: when to come back, and what is left.
        self.headers: Dict[str, str] = dict(headers or {})
        self.timestamp = datetime.now(timezone.utc)

    def as_response(self) -> Dict[str, Any]:
        """The body that dashboards expect of an error."""
        return {
            "success": False,
            "error": self.error_type,
            "message": self.message,
            "details": self.details,
            "user_id": self.user_id,
            "timestamp": self.timestamp.isoformat().replace("+00:00", "Z"),
        }


class UsageLimitExceededException(SubscriptionException):
    """A quota has no room for the call."""

    error_type = "UsageLimitExceededException"
    default_status = 429


class PricingException(SubscriptionException):
    """Nobody knows what the call costs, and its cost is limited."""

    error_type = "PricingException"
    default_status = 422


class TrackingException(SubscriptionException):
    """What was used could not be recorded."""

    error_type = "TrackingException"
    default_status = 500


class ServiceUnavailableException(SubscriptionException):
    """The service did not answer in time, or said that it cannot work now.

    Nothing is known of what became of the request. All requests of this package can be sent again.
    """

    default_status = 503


class InvalidRequestException(SubscriptionException):
    """The service does not take the request as it is; sending it again will not help."""

    default_status = 400


def handle_usage_limit_error(
    user_id: str,
    provider: str,
    limit_type: str,
    current_usage: float,
    limit_value: float,
    **details: Any,
) -> Dict[str, Any]:
    """The body of a 429: what was exceeded, and by how much.

    ``details`` are added to the answer's own, such as ``resets_at``.
    """
    name = provider_id(provider)
    error = UsageLimitExceededException(
        f"The limit of {limit_value} on {limit_type} of {name} is reached: {current_usage} used.",
        user_id=user_id,
        details={
            "provider": name,
            "limit_type": limit_type,
            "current_usage": current_usage,
            "limit_value": limit_value,
            **details,
        },
    )
    return error.as_response()
