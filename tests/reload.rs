/// What cannot be taken over changes nothing, says why, and heals.
mod broken;
/// Another plugin's bytes under the same manifest.
mod plugin;
/// An edited price, under load.
mod price;
/// An edited quota.
mod quota;

use serde_json::{Value, json};

use crate::support::{Client, Server};

const TIERS: &str = "standard-tiers.toml";

/// What 1,000 tokens in and 500 out cost as shipped, in billionths of a dollar.
const OLD_NANOS: u64 = 1_000 * 125 + 500 * 375;

/// A settled call.
struct Settled {
    subject: String,
    event: String,
    cost: String,
    revision: String,
}

async fn reserve_and_settle(client: &Client, subject: &str) -> Settled {
    let usage = json!({ "input_tokens": 1_000, "output_tokens": 500 });
    let call = json!({
        "subject": subject, "provider": "gemini", "model": "gemini-2.5-flash", "usage": usage,
    });
    let held = client.post("/v1/reservations", &call).await.expect(201);
    let path = format!("/v1/reservations/{}/settle", text(&held["reservation_id"]));
    let settled = client.post(&path, &json!({ "usage": usage })).await.expect(200);
    Settled {
        subject: subject.to_owned(),
        event: text(&settled["event_id"]),
        cost: text(&settled["cost"]),
        revision: text(&settled["revision"]),
    }
}

async fn policies(server: &Server) -> Value {
    server.get("/v1/policies").await.expect(200)
}

async fn revision(server: &Server) -> String {
    text(&policies(server).await["revision"])
}

async fn rejection(server: &Server, name: &str) -> Option<Value> {
    let policies = policies(server).await;
    let mut rejected = policies["rejected"].as_array().unwrap().iter();
    rejected.find(|candidate| candidate["name"] == name).cloned()
}

/// Where a new Gemini call of a subject stands.
async fn check(server: &Server, subject: &str) -> Value {
    let call = json!({
        "subject": subject, "provider": "gemini", "model": "gemini-2.5-flash",
        "usage": { "input_tokens": 1, "output_tokens": 1 },
    });
    server.post("/v1/check", &call).await.expect(200)
}

async fn use_up_free_calls(server: &Server, subject: &str) {
    let used = json!({
        "subject": subject, "provider": "gemini", "model": "gemini-2.5-flash",
        "usage": { "calls": 100 },
    });
    server.post("/v1/usage", &used).await.expect(201);
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
