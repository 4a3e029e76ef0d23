/// Alerts: raised, listed, read.
mod alerts;
/// The seed's two service calls, `enforce` and `track`, and its exceptions.
mod calls;
/// Plans and prices that are changed.
mod changes;
/// Providers and plans of an operator's own.
mod customization;
/// `GET …/dashboard/{user_id}`.
mod dashboard;
/// All answers, to the last digit, after many callers at once.
mod exactness;
/// What the page begins with.
mod features;
/// What holds for every list, and for every request.
mod lists;
/// `GET …/usage-logs/{user_id}`.
mod logs;
/// A client written from the page.
mod page;
/// What the dashboard recommends.
mod recommendations;
/// Each sentence of the page, and its test.
mod sentences;
/// `GET …/usage/{user_id}`.
mod statistics;
/// `GET` and `PUT …/user/{user_id}/subscription`.
mod subscriptions;
/// `GET …/usage/{user_id}/trends`.
mod trends;

use serde_json::{Value, json};

use crate::support::{Answer, Client};

/// A use of Gemini that costs what its caller says, at that time.
fn used(subject: &str, tokens: u64, cost: &str, occurred_at: &str) -> Value {
    json!({
        "subject": subject, "provider": "gemini", "model": "gemini-2.5-flash", "cost": cost,
        "usage": { "input_tokens": tokens }, "occurred_at": occurred_at,
    })
}

/// So many calls at once.
fn calls(subject: &str, provider: &str, calls: u64) -> Value {
    json!({ "subject": subject, "provider": provider, "cost": "0", "usage": { "calls": calls } })
}

async fn record(client: &Client, event: &Value) -> Value {
    client.post("/v1/usage", event).await.expect(201)
}

/// The data of one of the family's answers.
async fn data(client: &Client, path: &str) -> Value {
    client.get(&format!("/api/subscription/{path}")).await.data()
}

/// The body of a failure in this family.
#[track_caller]
fn failure(answer: Answer, status: u16, error: &str) -> Value {
    let failure = answer.expect(status);
    assert_eq!(failure["success"], false, "{failure}");
    assert_eq!(failure["error"], error, "{failure}");
    for member in ["message", "timestamp"] {
        assert!(failure[member].is_string(), "{member} is missing from {failure}");
    }
    assert!(failure["details"].is_object(), "{failure}");
    failure
}

/// That an object has these members, and no others.
#[track_caller]
fn assert_members(object: &Value, members: &str) {
    let mut expected: Vec<_> = members.split_whitespace().collect();
    let mut found: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected, "{object}");
}

/// The numbers of a list, as they are written.
fn numbers(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(Value::to_string).collect()
}
