use serde_json::{Value, json};

use super::{assert_members, data, failure, numbers, record, used};
use crate::support::{Home, Server};

#[tokio::test(flavor = "multi_thread")]
async fn months_are_listed_oldest_first_and_those_without_use_too() {
    let home = Home::new();
    let server = Server::start_at(&home, "2026-08-10T12:00:00Z").await;
    for (tokens, cost, at) in [
        (10, "0.125", "2026-05-31T23:59:59Z"),
        (20, "1", "2026-07-01T00:00:00Z"),
        (30, "2", "2026-07-31T12:00:00Z"),
        (40, "0.000000000000000001", "2026-08-10T11:00:00Z"),
    ] {
        record(&server, &used("ann", tokens, cost, at)).await;
    }
    let openai = json!({
        "subject": "ann", "provider": "openai", "cost": "3", "usage": { "calls": 5 },
        "occurred_at": "2026-06-15T00:00:00Z",
    });
    record(&server, &openai).await;
    let trends = data(&server, "usage/ann/trends").await;
    assert_members(
        &trends,
        "periods total_calls total_cost total_tokens provider_trends calls_trend cost_trend",
    );
    assert_eq!(
        trends["periods"],
        json!(["2026-03", "2026-04", "2026-05", "2026-06", "2026-07", "2026-08"])
    );
    assert_eq!(numbers(&trends["total_calls"]), ["0", "0", "1", "5", "2", "1"]);
    let cost = ["0", "0", "0.125", "3", "3", "0.000000000000000001"];
    assert_eq!(numbers(&trends["total_cost"]), cost);
    assert_eq!(numbers(&trends["total_tokens"]), ["0", "0", "10", "0", "50", "40"]);
    let provider = |name: &str, what: &str| numbers(&trends["provider_trends"][name][what]);
    assert_eq!(provider("gemini", "calls"), ["0", "0", "1", "0", "2", "1"]);
    assert_eq!(provider("openai", "calls"), ["0", "0", "0", "5", "0", "0"]);
    assert_eq!(provider("openai", "cost"), ["0", "0", "0", "3", "0", "0"]);
    assert_eq!(provider("gemini", "tokens"), ["0", "0", "10", "0", "50", "40"]);
    assert_members(&trends["provider_trends"], "gemini openai");
    assert_eq!(trends["calls_trend"], "increasing");
    assert_eq!(trends["cost_trend"], "increasing");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_to_36_months_can_be_asked_for() {
    let home = Home::new();
    let server = Server::start_at(&home, "2026-01-31T12:00:00Z").await;
    record(&server, &used("ann", 1, "1", "2023-02-01T00:00:00Z")).await;
    for months in [1, 12, 36] {
        let trends = data(&server, &format!("usage/ann/trends?months={months}")).await;
        let periods = trends["periods"].as_array().unwrap();
        assert_eq!(periods.len(), months);
        assert_eq!(periods.last().unwrap(), "2026-01");
        for list in ["total_calls", "total_cost", "total_tokens"] {
            assert_eq!(trends[list].as_array().unwrap().len(), months);
        }
        let calls: u64 =
            trends["total_calls"].as_array().unwrap().iter().filter_map(Value::as_u64).sum();
        assert_eq!(calls, u64::from(months == 36), "the first of 36 months is 2023-02");
    }
    for months in ["0", "37", "-1", "six", ""] {
        let wrong =
            server.get(&format!("/api/subscription/usage/ann/trends?months={months}")).await;
        let wrong = failure(wrong, 400, "SubscriptionException");
        assert_eq!(wrong["details"]["errors"][0]["pointer"], "/months", "{months}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn months_are_the_subscriptions_own() {
    let home = Home::new();
    let server = Server::start_at(&home, "2026-08-10T12:00:00Z").await;
    let change = json!({ "plan": "pro", "timezone": "America/New_York", "anchor_day": 15 });
    server.put("/api/subscription/user/ann/subscription", &change).await.expect(200);
    // Midnight in New York is 4 o'clock.
    record(&server, &used("ann", 1, "1", "2026-06-15T03:59:59Z")).await;
    record(&server, &used("ann", 2, "1", "2026-06-15T04:00:00Z")).await;
    record(&server, &used("ann", 4, "1", "2026-07-15T04:00:00Z")).await;
    let trends = data(&server, "usage/ann/trends?months=3").await;
    assert_eq!(trends["periods"], json!(["2026-05", "2026-06", "2026-07"]));
    assert_eq!(numbers(&trends["total_tokens"]), ["1", "2", "4"]);
}
