//! Examples of errors, one of each kind.

use serde_json::{Value, json};

use crate::http::problem::kinds;
use crate::http::subscription;

/// The last word of a kind's type.
pub fn short(kind: &Value) -> &str {
    match (kind["type"].as_str().unwrap_or_default(), kind["status"].as_u64()) {
        (kinds::PLAIN, Some(404)) => "not-found",
        (kinds::PLAIN, Some(413)) => "too-long",
        (kinds::PLAIN, _) => "wrong-media-type",
        (uri, _) => uri.rsplit([':', '#']).next().unwrap_or(uri),
    }
}

/// An example of a problem.
pub fn problem(kind: &Value) -> Value {
    let mut problem = json!({
        "type": kind["type"], "title": kind["title"], "status": kind["status"],
        "detail": kind["when"],
    });
    for (name, value) in members(kind) {
        problem[name] = value;
    }
    if short(kind) == "invalid-request" {
        problem["detail"] = "/subject: is missing".into();
    }
    problem
}

/// The same as the seed's clients read it, under the `usual` name of what failed.
pub fn failure(kind: &Value, usual: &str) -> Value {
    let of_a_price = [kinds::UNPRICED_CALL, kinds::UNKNOWN_FLAVOR, kinds::REJECTED];
    let is_of_a_price = of_a_price.iter().any(|own| kind["type"] == own.uri());
    let (error, details) = match kind["status"].as_u64() {
        Some(429) => (subscription::LIMIT_EXCEEDED, limit()),
        _ if is_of_a_price => (subscription::PRICING, json!({})),
        _ => (usual, members(kind).into_iter().filter(|(name, _)| *name == "errors").collect()),
    };
    json!({
        "success": false, "error": error, "message": kind["when"], "details": details,
        "user_id": "user123", "timestamp": "2025-01-15T10:30:00Z",
    })
}

fn limit() -> Value {
    json!({
        "provider": "gemini", "reason": "quota_exceeded", "subject": "user123", "plan": "free",
        "quota": "gemini_calls", "limit_type": "api_calls", "current_usage": 100,
        "limit_value": 100, "reserved": 0, "requested": 1, "resets_at": "2025-02-01T00:00:00Z",
    })
}

/// What problems of a kind say beyond what all do.
fn members(kind: &Value) -> Vec<(&'static str, Value)> {
    let denied = |reason: &str| {
        let refused = json!({
            "reason": reason, "quota": null, "subject": "user123", "plan": "free",
            "message": kind["when"], "limit": null, "used": null, "reserved": null,
            "requested": null, "resets_at": null,
        });
        vec![("denied", refused)]
    };
    match short(kind) {
        "invalid-request" => {
            vec![("errors", json!([{ "pointer": "/subject", "detail": "is missing" }]))]
        }
        "quota-exceeded" => {
            let denied = json!({
                "reason": "quota_exceeded", "quota": "gemini_calls", "subject": "user123",
                "plan": "free", "message": kind["when"], "limit": "100", "used": "100",
                "reserved": "0", "requested": "1", "resets_at": "2025-02-01T00:00:00Z",
            });
            vec![("denied", denied), ("violated-policies", json!(["gemini_calls"]))]
        }
        "not-in-plan" => denied("not_in_plan"),
        "subscription-inactive" => denied("subscription_inactive"),
        "refused-by-policy" => denied("refused_by_policy"),
        "policy-error" => denied("policy_error"),
        "unpriced" if kind["status"] == 422 => denied("unpriced"),
        _ => vec![],
    }
}
