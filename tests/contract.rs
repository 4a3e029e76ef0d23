/// `POST /v1/check`.
mod check;
/// `POST /v1/usage/corrections`.
mod corrections;
/// `/api/subscription/…`, as the dashboards of the seed document call it.
mod dashboards;
/// `Idempotency-Key` on every POST that changes something.
mod idempotency;
/// `POST /v1/usage` with a line for each event.
mod ndjson;
/// `POST /v1/quote` and the price list.
mod price;
/// Problems, pointers, sizes and the headers of every answer.
mod problems;
/// RateLimit and Retry-After.
mod rate_limit_headers;
/// `POST /v1/usage`.
mod record;
/// `GET /v1/refusals`.
mod refusals;
/// `/v1/reservations`.
mod reservations;
/// Paths of subjects, with quotas on several levels.
mod subjects;

use serde_json::{Value, json};

use crate::support::{Client, Server};

/// A call of 1,000 tokens in and 500 out, which costs [`COST`].
fn call(subject: &str) -> Value {
    json!({
        "subject": subject, "provider": "gemini", "model": "gemini-2.5-flash",
        "endpoint": "/api/generate", "usage": { "input_tokens": 1_000, "output_tokens": 500 },
    })
}

const COST: &str = "0.0003125";

/// A [`call`] with one member changed.
fn with(mut call: Value, member: &str, value: impl Into<Value>) -> Value {
    call[member] = value.into();
    call
}

async fn check(client: &Client, call: &Value) -> Value {
    client.post("/v1/check", call).await.expect(200)
}

/// Takes a hold and returns its path.
async fn reserve(client: &Client, call: &Value) -> String {
    let held = client.post("/v1/reservations", call).await.expect(201);
    format!("/v1/reservations/{}", held["reservation_id"].as_str().unwrap())
}

/// Records so many Gemini calls at once.
async fn use_calls(client: &Client, subject: &str, calls: u64) {
    let used = with(call(subject), "usage", json!({ "calls": calls }));
    client.post("/v1/usage", &used).await.expect(201);
}

/// The statistics of a subject, spelled as in a path, in the current period.
async fn statistics(server: &Server, subject: &str) -> Value {
    server.get(&format!("/api/subscription/usage/{subject}")).await.data()
}

/// How many Gemini calls a subject has used and reserved, on one level of its path.
async fn gemini_calls(client: &Client, subject: &str, level: &str) -> (String, String) {
    let check = check(client, &call(subject)).await;
    let mut quotas = check["quotas"].as_array().unwrap().iter();
    let quota = quotas.find(|quota| quota["subject"] == level && quota["name"] == "gemini_calls");
    let text = |member: &str| quota.unwrap()[member].as_str().unwrap().to_owned();
    (text("used"), text("reserved"))
}
