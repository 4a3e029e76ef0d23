//! What was really asked and answered, as examples.

use serde_json::{Map, Value, json};

/// By the id of an operation: what is sent to it, and what it answers by status.
const EXAMPLES: &str = include_str!("examples.json");

pub fn read() -> Map<String, Value> {
    serde_json::from_str(EXAMPLES).unwrap_or_default()
}

/// Puts an operation's examples to its bodies.
pub fn describe(operation: &mut Map<String, Value>, all: &Map<String, Value>) {
    let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default();
    let Some(own) = all.get(id) else { return };
    for (name, of_media_type) in own["request"].as_object().into_iter().flatten() {
        let body = operation.get_mut("requestBody");
        if let Some(body) = body.map(|body| &mut body["content"][name]) {
            put(body, of_media_type);
        }
    }
    for (status, example) in own["responses"].as_object().into_iter().flatten() {
        let content = operation.get_mut("responses").map(|all| &mut all[status]["content"]);
        for (_, body) in content.and_then(Value::as_object_mut).into_iter().flatten() {
            put(body, example);
        }
    }
}

/// One example, or several by their names.
fn put(body: &mut Value, example: &Value) {
    match example.get("named") {
        Some(named) => {
            let named = named.as_object().into_iter().flatten();
            let named = named.map(|(name, value)| (name.clone(), json!({ "value": value })));
            body["examples"] = Value::Object(named.collect());
        }
        None => body["example"] = example.clone(),
    }
}
