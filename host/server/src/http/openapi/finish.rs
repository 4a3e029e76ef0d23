//! What holds for all operations, said once here instead of at each.

use serde_json::{Map, Value, json};

use super::errors::{self, Family, Responses};
use super::examples;
use crate::http::idempotency::REPLAYED;
use crate::http::subscription;

/// Operations that whoever keeps the service running asks, and that decide nothing.
const PLAIN: [&str; 6] =
    ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/{file}"];

pub fn finish(document: &mut Value) {
    let (asked, mut failures) = (examples::read(), Responses::new());
    let paths = document["paths"].as_object_mut();
    for (path, item) in paths.into_iter().flatten() {
        for (_, operation) in item.as_object_mut().into_iter().flatten() {
            if let Some(operation) = operation.as_object_mut() {
                describe(path, operation, &asked, &mut failures);
            }
        }
    }
    document["components"]["responses"] = Value::Object(failures);
    document["components"]["headers"] = headers();
    document["components"]["parameters"] = parameters();
    tidy(document);
}

fn describe(
    path: &str,
    operation: &mut Map<String, Value>,
    asked: &Map<String, Value>,
    failures: &mut Responses,
) {
    let family = family(path, operation);
    if let Family::Seed(_) = family {
        envelop(operation);
    }
    examples::describe(operation, asked);
    errors::describe(operation, family, !PLAIN.contains(&path), failures);
    let takes_key = errors::takes_key(operation);
    let statuses = operation.get_mut("responses").and_then(Value::as_object_mut);
    let successes = statuses.into_iter().flatten().filter(|(status, _)| status.starts_with('2'));
    for (status, response) in successes {
        let id = json!({ "$ref": "#/components/headers/RequestId" });
        response["headers"]["X-Request-Id"] = id;
        if takes_key {
            let replayed = json!({ "$ref": "#/components/headers/IdempotencyReplayed" });
            response["headers"][REPLAYED] = replayed;
        }
        if path == "/v1/reservations" && status == "201" {
            for (name, component) in
                [("RateLimit-Policy", "RateLimitPolicy"), ("RateLimit", "RateLimit")]
            {
                let reference = format!("#/components/headers/{component}");
                response["headers"][name] = json!({ "$ref": reference });
            }
        }
    }
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    if let Some(parameters) = parameters.as_array_mut() {
        parameters.push(json!({ "$ref": "#/components/parameters/RequestId" }));
    }
}

fn family(path: &str, operation: &Map<String, Value>) -> Family {
    let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default();
    match (path.starts_with(subscription::PREFIX), id) {
        (false, _) => Family::V1,
        (true, "listPrices" | "putPrice") => Family::Seed(subscription::PRICING),
        (true, "track") => Family::Seed(subscription::TRACKING),
        (true, _) => Family::Seed(subscription::SUBSCRIPTION),
    }
}

/// Puts what an operation of the seed's answers into the envelope.
fn envelop(operation: &mut Map<String, Value>) {
    let Some(body) = operation.get_mut("responses").and_then(|all| {
        all.get_mut("200")?.get_mut("content")?.get_mut("application/json")?.as_object_mut()
    }) else {
        return;
    };
    let data = body.remove("schema").unwrap_or_default();
    let schema = json!({
        "type": "object",
        "required": ["success", "data"],
        "properties": { "success": { "type": "boolean", "const": true }, "data": data },
    });
    body.insert("schema".into(), schema);
}

fn headers() -> Value {
    let text = |description: &str, example: &str| json!({ "description": description, "schema": { "type": "string" }, "example": example });
    json!({
        "RequestId": text(
            "The id of the request, in the log too: the caller's own, or else one of ours.",
            "8f14e45fceea167a",
        ),
        "IdempotencyReplayed": {
            "description": "Given, as `true`, where the answer is one that was given before.",
            "schema": { "type": "string", "const": "true" },
        },
        "RetryAfter": {
            "description": "In how many seconds the call may fit; left out where waiting does not help.",
            "schema": { "type": "integer", "minimum": 0 },
            "example": 86400,
        },
        "RateLimitPolicy": text(
            "Quotas on calls, as the IETF draft has them: how many (`q`) in how many seconds (`w`). \
             Left out where there is none.",
            "\"gemini_calls\";q=5000;w=2678400",
        ),
        "RateLimit": text(
            "How many calls are left (`r`), and for how many seconds (`t`).",
            "\"gemini_calls\";r=4197;t=86400",
        ),
    })
}

fn parameters() -> Value {
    json!({
        "RequestId": {
            "name": "X-Request-Id",
            "in": "header",
            "required": false,
            "description": "The caller's own id for the request: 1 to 128 visible ASCII characters. \
                            Another is not taken over.",
            "schema": { "type": "string" },
            "example": "8f14e45fceea167a",
        },
    })
}

/// Lines of comments become lines of text; and integers here have bounds of their own, while many
/// are wider than their formats' names say.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let is_integer = match members.get("type") {
                Some(Value::Array(types)) => types.iter().any(|one| one == "integer"),
                one => one.is_some_and(|one| one == "integer"),
            };
            if is_integer && members.get("format").is_some_and(Value::is_string) {
                members.remove("format");
            }
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = text.split("\n\n").map(one_line).collect::<Vec<_>>().join("\n\n");
            }
            members.values_mut().for_each(tidy);
        }
        Value::Array(values) => values.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn one_line(paragraph: &str) -> String {
    match paragraph.starts_with("- ") {
        true => paragraph.to_owned(),
        false => paragraph.replace('\n', " "),
    }
}
