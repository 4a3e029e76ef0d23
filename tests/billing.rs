use serde_json::{Value, json};

use crate::support::{Client, Home, Server};

fn event(subject: &str, cost: &str, occurred_at: &str) -> Value {
    json!({
        "subject": subject, "provider": "gemini", "model": "gemini-2.5-flash", "cost": cost,
        "usage": { "input_tokens": 10 }, "occurred_at": occurred_at,
    })
}

async fn history(client: &Client, subject: &str) -> Vec<Value> {
    let data = client.get(&format!("/api/subscription/billing-history/{subject}")).await.data();
    let history = data["history"].as_array().unwrap().clone();
    assert_eq!(data["total"], history.len());
    history
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_period_is_billed_in_whole_cents() {
    let home = Home::new();
    let server = Server::start_at(&home, "2026-08-31T12:00:00Z").await;
    server.subscribe("ann", "pro").await;
    for cost in ["1.005", "1.25"] {
        let used = event("ann", cost, "2026-08-31T11:00:00Z");
        server.post("/v1/usage", &used).await.expect(201);
    }
    assert!(history(&server, "ann").await.is_empty(), "the period is open");
    server.kill();

    let server = Server::start_at(&home, "2026-09-01T00:00:00Z").await;
    assert!(history(&server, "bob").await.is_empty(), "who used nothing is billed nothing");
    let closed = history(&server, "ann").await;
    let entry = &closed[0];
    assert_eq!((closed.len(), &entry["billing_period"]), (1, &json!("2026-08")));
    assert_eq!((&entry["total_calls"], &entry["total_tokens"]), (&json!(2), &json!(20)));
    assert_eq!(
        (&entry["status"], &entry["closed_at"]),
        (&json!("closed"), &json!("2026-09-01T00:00:00Z"))
    );
    let plans = server.get("/api/subscription/plans").await.data();
    let pro = plans["plans"].as_array().unwrap().iter().find(|plan| plan["id"] == "pro").unwrap();
    assert_eq!(entry["plan_name"], pro["name"]);
    let line = |name: &str| entry[name].to_string();
    assert_eq!(line("subscription_fee"), pro["price_monthly"].to_string());
    // Half a cent goes to the even one.
    let lines = ["usage_cost", "exact_usage_cost", "adjustments"].map(line);
    assert_eq!(lines, ["2.26", "2.255", "0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_cost_is_an_adjustment_across_restarts() {
    let home = Home::new();
    let server = Server::start_at(&home, "2026-08-20T12:00:00Z").await;
    server.post("/v1/usage", &event("ann", "4", "2026-08-20T11:00:00Z")).await.expect(201);
    server.kill();

    let server = Server::start_at(&home, "2026-09-10T12:00:00Z").await;
    let first = history(&server, "ann").await;
    assert_eq!((first.len(), first[0]["usage_cost"].to_string()), (1, "4".into()));
    let late = server.post("/v1/usage", &event("ann", "1.5", "2026-08-20T11:30:00Z")).await;
    assert_eq!(late.expect(201)["overage"], false, "it uses no quota of the open period");
    let data = server.get("/api/subscription/usage/ann?billing_period=2026-08").await.data();
    assert_eq!(data["total_cost"].to_string(), "5.5", "it counts where it occurred");
    server.kill();

    let server = Server::start_at(&home, "2026-10-01T00:00:01Z").await;
    let both = history(&server, "ann").await;
    let lines = |entry: &Value| {
        ["billing_period", "usage_cost", "adjustments", "total"].map(|name| entry[name].to_string())
    };
    assert_eq!(lines(&both[0]), ["\"2026-09\"", "0", "1.5", "1.5"]);
    assert_eq!(both[1], first[0], "a closed entry stays as it is");
}
