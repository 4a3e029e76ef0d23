//! Every kind of problem that callers meet: what answers say of it, and the description of the
//! interface too.

use axum::http::StatusCode;
use serde::ser::{Serialize, SerializeStruct, Serializer};

/// What all problems of a kind have in common.
#[derive(Debug)]
pub struct Kind {
    pub status: StatusCode,
    /// The last part of its type, or a URI.
    pub name: &'static str,
    pub title: &'static str,
    /// When it is met, and what helps.
    pub when: &'static str,
}

/// The registered type for a quota that is used up.
const QUOTA_EXCEEDED_TYPE: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// For a problem that its status says all about.
pub const PLAIN: &str = "about:blank";

macro_rules! kinds {
    ($($const:ident: $status:ident, $name:expr, $title:literal, $when:literal;)*) => {
        $(pub const $const: Kind = Kind {
            status: StatusCode::$status,
            name: $name,
            title: $title,
            when: $when,
        };)*

    };
}

kinds! {
    INVALID_REQUEST: BAD_REQUEST, "invalid-request", "The request is invalid",
        "A field, a parameter or a header is not as it should be; `errors` points at each.";
    CALL_REFUSED: FORBIDDEN, "refused-by-policy", "The call is refused",
        "A policy refuses the call for a reason of its own, which is the type's last part.";
    NOT_IN_PLAN: FORBIDDEN, "not-in-plan", "The call is refused",
        "The plan does not sell this provider, model or feature.";
    SUBSCRIPTION_INACTIVE: FORBIDDEN, "subscription-inactive", "The call is refused",
        "The subscription is suspended or cancelled.";
    NOTHING_HERE: NOT_FOUND, PLAIN, "Not Found",
        "There is nothing at this path.";
    UNPRICED: NOT_FOUND, "unpriced", "Nobody prices this",
        "No pricing policy knows this provider and model.";
    NO_PLAN: NOT_FOUND, "no-plan", "There is no subscription",
        "The subject has no plan, and there is no default one.";
    UNKNOWN_EVENT: NOT_FOUND, "unknown-event", "There is no such event",
        "The subject has no event of this name.";
    UNKNOWN_RESERVATION: NOT_FOUND, "unknown-reservation", "There is no such reservation",
        "There never was one, or it expired more than 7 days ago.";
    UNKNOWN_ALERT: NOT_FOUND, "unknown-alert", "There is no such alert",
        "No alert has this number.";
    UNKNOWN_REVISION: NOT_FOUND, "unknown-revision", "There is no such revision",
        "No set of policies of this revision was ever active.";
    UNKNOWN_PLAN: NOT_FOUND, "unknown-plan", "There is no such plan",
        "No active policy has this plan.";
    NO_CANDIDATE: NOT_FOUND, "no-candidate", "There is nothing to compare",
        "Neither a shadow nor a canary runs beside a policy of this name.";
    UNKNOWN_NOTIFICATION: NOT_FOUND, "unknown-notification", "There is no such notification",
        "No notification has this id.";
    NO_PREFERENCES: NOT_FOUND, "no-preferences", "There are no such preferences",
        "Nobody set any; `detail` says which apply instead.";
    RESERVATION_RELEASED: CONFLICT, "reservation-released", "The reservation was released",
        "It holds nothing any more. What was used all the same is recorded by `POST /v1/usage`.";
    RESERVATION_SETTLED: CONFLICT, "reservation-settled", "The reservation was settled",
        "What was used is recorded, and is not released.";
    CONTRADICTION: CONFLICT, "contradiction", "Recorded before with other content",
        "The same name, or the same reservation, was recorded before with another content.";
    CORRECTED_MEANWHILE: CONFLICT, "corrected-meanwhile", "The event was corrected meanwhile",
        "Somebody else corrected the event at the same time: read it, and say it again.";
    KEY_UNDER_WAY: CONFLICT, "key-under-way", "The request is still under way",
        "The first request under this Idempotency-Key has not been answered yet.";
    NO_SUCH_POLICY: CONFLICT, "no-such-policy", "There is no policy to take it",
        "No active policy keeps plans, or prices, that can be changed.";
    UNUSABLE_REVISION: CONFLICT, "unusable-revision", "The revision cannot be used here",
        "The revision is known, and this program cannot run it any more.";
    PLAN_IN_USE: CONFLICT, "plan-in-use", "The plan is in use",
        "Somebody has the plan, or would have it by default.";
    NOTIFICATION_SENT: CONFLICT, "notification-sent", "The notification has arrived",
        "What has arrived is not sent again.";
    KEY_REUSED: UNPROCESSABLE_ENTITY, "key-reused", "The key belongs to another request",
        "The Idempotency-Key was used for a request with another body.";
    UNPRICED_CALL: UNPROCESSABLE_ENTITY, "unpriced", "Nobody prices this call",
        "No pricing policy knows the model, and a level limits cost.";
    UNKNOWN_FLAVOR: UNPROCESSABLE_ENTITY, "unknown-flavor", "The answer cannot be read",
        "No policy knows where this API of the provider reports usage.";
    REJECTED: UNPROCESSABLE_ENTITY, "rejected-by-policy",
        "A policy cannot work with this call",
        "A policy says why in `detail`; the type's last part is the policy's own word.";
    POLICY_REFUSED: UNPROCESSABLE_ENTITY, "policy-refused", "The policy cannot be used",
        "The manifest was tried, and fails as `detail` says.";
    REFUSED: UNPROCESSABLE_ENTITY, "refused", "The policies do not take it",
        "The policies were tried with the change, and fail as `detail` says.";
    OVERFLOW: UNPROCESSABLE_ENTITY, "overflow", "More than can be counted",
        "A sum would have more digits than there is room for.";
    TOO_LARGE: PAYLOAD_TOO_LARGE, PLAIN, "Payload Too Large",
        "The body is longer than 1 MiB.";
    WRONG_MEDIA_TYPE: UNSUPPORTED_MEDIA_TYPE, PLAIN, "Unsupported Media Type",
        "The body is neither JSON nor anything else that is taken here.";
    QUOTA_EXCEEDED: TOO_MANY_REQUESTS, QUOTA_EXCEEDED_TYPE, "A quota is used up",
        "The call does not fit a quota of one of the subject's levels; nothing was consumed.";
    BROKE_DOWN: INTERNAL_SERVER_ERROR, "broke-down", "Something went wrong",
        "A bug, or a machine in trouble; the log says more, under the `x-request-id`.";
    LOST_EVENT: INTERNAL_SERVER_ERROR, "lost-event", "The ledger is damaged",
        "An event that must be there cannot be read: stop the service and run `tollgate verify`.";
    NO_POLICIES: SERVICE_UNAVAILABLE, "no-policies", "Nobody can decide calls yet",
        "No complete set of policies is active; `GET /v1/policies` says why.";
    STORE_FAILED: SERVICE_UNAVAILABLE, "store-failed", "The ledger cannot be written",
        "The disk does not take what must be durable; nothing was recorded.";
    POLICY_ERROR: SERVICE_UNAVAILABLE, "policy-error", "A policy failed, and says no then",
        "A policy failed on this call, and its manifest says that it denies then.";
}

impl Kind {
    /// The `type` of its problems.
    pub fn uri(&self) -> String {
        uri(self.name)
    }
}

/// The type of a problem by its name, which is a URI or the last part of one of ours.
pub fn uri(name: &str) -> String {
    match name.contains(':') {
        true => name.to_owned(),
        false => format!("urn:tollgate:problem:{}", name.replace('_', "-")),
    }
}

/// For the description of the interface.
impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut kind = serializer.serialize_struct("Kind", 4)?;
        kind.serialize_field("status", &self.status.as_u16())?;
        kind.serialize_field("type", &self.uri())?;
        kind.serialize_field("title", self.title)?;
        kind.serialize_field("when", self.when)?;
        kind.end()
    }
}
