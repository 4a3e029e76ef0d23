//! The errors of an operation: those that it names itself, and those that all of its sort have.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::failures::{failure, problem, short};
use crate::http::problem::kinds::{self, Kind};

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

/// Descriptions of responses, by name: each is written once, and operations refer to it.
pub type Responses = Map<String, Value>;

/// Puts the errors of an operation among its responses; if it `decides` anything, those too that
/// all such operations have.
pub fn describe(
    operation: &mut Map<String, Value>,
    family: Family,
    decides: bool,
    responses: &mut Responses,
) {
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
        let (family_name, kinds_names) = (family.name(), kinds.iter().map(short));
        let kinds_names = kinds_names.collect::<Vec<_>>().join(".");
        let name = format!("{family_name}.{status}.{kinds_names}");
        let reference = json!({ "$ref": format!("#/components/responses/{name}") });
        responses.entry(name).or_insert_with(|| response(status, &kinds, family));
        operation["responses"][status.to_string()] = reference;
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
    let when = |kind: &Value| kind["when"].as_str().unwrap_or_default().to_owned();
    let lines = kinds.iter().map(|kind| format!("- `{}`: {}", short(kind), when(kind)));
    let description = lines.collect::<Vec<_>>().join("\n");
    let examples = kinds.iter().map(|kind| {
        let value = match family {
            Family::V1 => problem(kind),
            Family::Seed(usual) => failure(kind, usual),
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
    let mut headers = json!({ "X-Request-Id": { "$ref": "#/components/headers/RequestId" } });
    if status == 429 {
        for (name, component) in [
            ("Retry-After", "RetryAfter"),
            ("RateLimit-Policy", "RateLimitPolicy"),
            ("RateLimit", "RateLimit"),
        ] {
            headers[name] = json!({ "$ref": format!("#/components/headers/{component}") });
        }
    }
    json!({ "description": description, "headers": headers, "content": content })
}

impl Family {
    fn name(self) -> &'static str {
        match self {
            Self::V1 => "Problem",
            Self::Seed(usual) => usual,
        }
    }
}
