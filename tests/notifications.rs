/// What is tried in vain: later, then dead, then again.
mod dead_letters;
/// What is pending when the service ends, however it ends.
mod durability;
/// E-mails, through a real SMTP server where there is one.
mod emails;
/// `/v1/subjects/{subject}/notifications`.
mod preferences;
/// A receiver of webhooks.
mod receiver;
/// A server for mail.
mod smtp;
/// Quiet hours and digests.
mod timing;
/// Webhooks: signed, and where they may go.
mod webhooks;

use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::{Client, Home, Server, eventually};
use receiver::Receiver;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Within the hour, so that no window and no digest turns.
const NOON: &str = "2026-08-10T12:00:05Z";

/// A service that may send to this machine, with other settings besides.
async fn serve(home: &Arc<Home>, time: &str, settings: &[&str]) -> Server {
    Server::ready(home, command(home, time, settings)).await
}

fn command(home: &Home, time: &str, settings: &[&str]) -> Command {
    let mut command = Server::command(home, time);
    command.args(["--notify-private-addresses", "--notify-backoff-seconds", "1"]);
    command.args(["--notify-backoff-max-seconds", "2"]).args(settings);
    command
}

async fn prefer(client: &Client, subject: &str, preferences: &Value) -> Value {
    let segment = subject.replace('/', "%2F").replace('<', "%3C").replace('>', "%3E");
    client.put(&format!("/v1/subjects/{segment}/notifications"), preferences).await.expect(200)
}

fn webhook(receiver: &Receiver) -> Value {
    json!({ "webhooks": [{ "url": receiver.url(), "secret": SECRET }] })
}

/// Uses so many of the 100 calls that the free plan has.
async fn use_calls(client: &Client, subject: &str, calls: u64) {
    let used = json!({ "subject": subject, "provider": "gemini", "usage": { "calls": calls }, "cost": "0" });
    client.post("/v1/usage", &used).await.expect(201);
}

/// The thresholds of alerts, in their order.
fn thresholds(alerts: &[Value]) -> Vec<u64> {
    alerts.iter().map(|alert| alert["threshold_percentage"].as_u64().unwrap()).collect()
}

async fn notifications(client: &Client, query: &str) -> Vec<Value> {
    let list = client.get(&format!("/v1/notifications?{query}")).await.expect(200);
    list["notifications"].as_array().unwrap().clone()
}

/// So many notifications, once there are so many with this query.
async fn wait_for(client: &Client, query: &str, count: usize) -> Vec<Value> {
    eventually(&format!("there are {count} of {query}"), async || {
        let found = notifications(client, query).await;
        (found.len() == count).then_some(found)
    })
    .await
}
