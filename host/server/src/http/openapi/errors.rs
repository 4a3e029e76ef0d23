//! The errors of an operation: those that it names itself, and those that all of its kind have.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::http::problem::kinds::{self, Kind};
use crate::http::subscription;

/// Where an operation names its own.
const NAMED: &str = "x-problems";

/// How a family tells errors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// As problems.
    V1,
    /// In the seed's envelope, under its names. The usual one of this operation's is given.
    Seed(&'static str),
}

/// Puts the errors of an operation among its responses; those that `all` have too, if it decides
/// anything.
pub fn describe(operation: &mut Map<String, Value>, family: Family, decides: bool) {
    let named = operation.remove(NAMED).unwrap_or_default();
    let mut all: Vec<Value> = named.as_array().cloned().unwrap_or_default();
    if decides {
        all.extend(common(operation).into_iter().map(|kind| json!(kind)));
    }
    let mut by_status = BTreeMap::<u64, Vec<Value>>::new();
    for kind in all {
        by_status.entry(kind["status"].as_u64().unwrap_or_default()).or_default().push(kind);
    }
    for (status, kinds) in by_status {
        let response = response(status, &kinds, family);
        operation["responses"][status.to_string()] = response;
    }
}

/// What may go wrong with every operation of a sort.
fn common(operation: &Map<String, Value>) -> Vec<Kind> {
    let has_body = operation.contains_key("requestBody");
    let mut common = vec![kinds::INVALID_REQUEST, kinds::BROKE_DOWN];
    common.extend([kinds::NO_POLICIES, kinds::STORE_FAILED]);
    if has_body {
        common.extend([kinds::TOO_LARGE, kinds::WRONG_MEDIA_TYPE]);
    }
    if takes_key(operation) {
        common.extend([kinds::KEY_UNDER_WAY, kinds::KEY_REUSED]);
    }
    common
}

/// Whether an Idempotency-Key is honoured.
pub fn takes_key(operation: &Map<String, Value>) -> bool {
    let parameters = operation.get("parameters").and_then(Value::as_array);
    parameters.is_some_and(|all| all.iter().any(|one| one["name"] == "Idempotency-Key"))
}

fn response(status: u64, kinds: &[Value], family: Family) -> Value {
    let title = |kind: &Value| format!("- `{}`: {}", short(kind), text(&kind["when"]));
    let description = kinds.iter().map(title).collect::<Vec<_>>().join("\n");
    let examples = kinds.iter().map(|kind| {
        let value = match family {
            Family::V1 => problem(kind),
            Family::Seed(exception) => failure(kind, exception),
        };
        (short(kind).to_owned(), json!({ "summary": kind["title"], "value": value }))
    });
    let examples: Map<String, Value> = examples.collect();
    let (media_type, schema) = match family {
        Family::V1 => ("application/problem+json", "Problem"),
        Family::Seed(_) => ("application/json", "Failure"),
    };
    let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
    let content = json!({ media_type: { "schema": schema, "examples": examples } });
    let mut response = json!({ "description": description, "content": content });
    if status == 429 {
        response["headers"] = json!({
            "Retry-After": { "$ref": "#/components/headers/RetryAfter" },
            "RateLimit-Policy": { "$ref": "#/components/headers/RateLimitPolicy" },
            "RateLimit": { "$ref": "#/components/headers/RateLimit" },
        });
    }
    response
}

/// The last word of a kind's type.
fn short(kind: &Value) -> &str {
    let uri = text(&kind["type"]);
    match text(&kind["type"]) {
        "about:blank" => text(&kind["title"]),
        _ => uri.rsplit([':', '#']).next().unwrap_or(uri),
    }
}

/// An example of a problem.
fn problem(kind: &Value) -> Value {
    let mut problem = json!({
        "type": kind["type"], "title": kind["title"], "status": kind["status"],
        "detail": kind["when"],
    });
    for (name, value) in members(kind) {
        problem[name] = value;
    }
    if kind["type"] == kinds::INVALID_REQUEST.uri() {
        problem["detail"] = "/subject: is missing".into();
    }
    problem
}

/// The same as the seed's clients read it.
fn failure(kind: &Value, usual: &str) -> Value {
    let of_a_price = [kinds::UNPRICED_CALL, kinds::UNKNOWN_FLAVOR, kinds::REJECTED];
    let error = match kind["status"].as_u64() {
        Some(429) => subscription::LIMIT_EXCEEDED,
        _ if of_a_price.iter().any(|of_a_price| kind["type"] == of_a_price.uri()) => {
            subscription::PRICING
        }
        _ => usual,
    };
    let details = match kind["status"].as_u64() {
        Some(429) => json!({
            "provider": "gemini", "reason": "quota_exceeded", "subject": "user123", "plan": "free",
            "quota": "gemini_calls", "limit_type": "api_calls", "current_usage": 100,
            "limit_value": 100, "reserved": 0, "requested": 1,
            "resets_at": "2025-02-01T00:00:00Z",
        }),
        _ => members(kind).into_iter().filter(|(name, _)| *name == "errors").collect(),
    };
    json!({
        "success": false, "error": error, "message": kind["when"], "details": details,
        "user_id": "user123", "timestamp": "2025-01-15T10:30:00Z",
    })
}

/// What problems of a kind say beyond what all do.
fn members(kind: &Value) -> Vec<(&'static str, Value)> {
    let refused = |reason: &str| {
        json!({
            "reason": reason, "quota": null, "subject": "user123", "plan": "free",
            "message": kind["when"], "limit": null, "used": null, "reserved": null,
            "requested": null, "resets_at": null,
        })
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
        "not-in-plan" => vec![("denied", refused("not_in_plan"))],
        "subscription-inactive" => vec![("denied", refused("subscription_inactive"))],
        "refused-by-policy" => vec![("denied", refused("refused_by_policy"))],
        "policy-error" => vec![("denied", refused("policy_error"))],
        "unpriced" if kind["status"] == 422 => vec![("denied", refused("unpriced"))],
        _ => vec![],
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
