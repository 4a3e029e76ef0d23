use serde_json::{Value, json};

use super::{assert_members, calls, data, failure, record, used};
use crate::support::{Home, Server, shared};

const LIMITS: &str = "gemini_calls openai_calls anthropic_calls mistral_calls tavily_calls \
                      serper_calls metaphor_calls firecrawl_calls stability_calls gemini_tokens \
                      openai_tokens anthropic_tokens mistral_tokens";

#[tokio::test(flavor = "multi_thread")]
async fn performance_metrics_and_breakdown_are_exact() {
    let server = shared().await;
    server.subscribe("stats", "pro").await;
    for (provider, response_time_ms, status_code, error, cost) in [
        ("gemini", Some(1_000), Some(200), None, "10.50"),
        ("gemini", Some(2_000), Some(500), None, "0"),
        ("openai", Some(2_000), None, Some("timed out"), "5.2500000000000001"),
        ("tavily", None, Some(399), None, "0.001"),
    ] {
        let event = json!({
            "subject": "stats", "provider": provider, "cost": cost, "error": error,
            "response_time_ms": response_time_ms, "status_code": status_code,
            "usage": { "input_tokens": 7, "output_tokens": 3 },
        });
        record(&server, &event).await;
    }
    let stats = data(&server, "usage/stats").await;
    assert_members(
        &stats,
        "billing_period usage_status total_calls total_tokens total_cost avg_response_time \
         error_rate limits provider_breakdown usage_percentages alerts last_updated",
    );
    for (member, text) in [
        ("billing_period", "\"2026-08\""),
        ("usage_status", "\"active\""),
        ("total_calls", "4"),
        ("total_tokens", "40"),
        ("total_cost", "15.7510000000000001"),
        ("avg_response_time", "1.666667"),
        ("error_rate", "50"),
        ("alerts", "[]"),
    ] {
        assert_eq!(stats[member].to_string(), text, "{member}");
    }
    let breakdown = json!({
        "gemini": { "calls": 2, "tokens": 20, "cost": 10.5 },
        "openai": { "calls": 1, "tokens": 10, "cost": 0 },
        "tavily": { "calls": 1, "tokens": 10, "cost": 0.001 },
    });
    for (provider, expected) in breakdown.as_object().unwrap() {
        let found = &stats["provider_breakdown"][provider];
        assert_members(found, "calls tokens cost");
        assert_eq!((&found["calls"], &found["tokens"]), (&expected["calls"], &expected["tokens"]));
    }
    let cost = |provider: &str| stats["provider_breakdown"][provider]["cost"].to_string();
    assert_eq!(["gemini", "openai", "tavily"].map(cost), ["10.5", "5.2500000000000001", "0.001"]);
    assert_members(&stats["limits"], "plan_name tier limits features");
    assert_eq!(stats["limits"]["plan_name"], "Pro");
    assert_eq!(stats["limits"]["limits"]["monthly_cost"], 150);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_quota_has_a_percentage_with_one_decimal() {
    let server = shared().await;
    server.subscribe("percent", "pro").await;
    record(&server, &calls("percent", "gemini", 3_275)).await;
    record(&server, &calls("percent", "openai", 595)).await;
    record(&server, &used("percent", 0, "47.25", "2026-08-10T11:00:00Z")).await;
    let percentages = data(&server, "usage/percent").await["usage_percentages"].take();
    assert_members(&percentages, &format!("{LIMITS} cost"));
    for (name, text) in [
        ("gemini_calls", "65.5"),
        ("openai_calls", "23.8"),
        ("cost", "31.5"),
        ("mistral_calls", "0"),
    ] {
        assert_eq!(percentages[name].to_string(), text, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_a_warning_from_80_percent_and_the_limit_at_100() {
    let server = shared().await;
    for (used, status) in [(79, "active"), (1, "warning"), (19, "warning"), (1, "limit_reached")] {
        record(&server, &calls("status", "gemini", used)).await;
        assert_eq!(data(&server, "usage/status").await["usage_status"], status);
    }
    server.subscribe("status", "basic").await;
    assert_eq!(data(&server, "usage/status").await["usage_status"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_past_period_and_all_time_can_be_asked_for() {
    let home = Home::new();
    let server = Server::start_at(&home, "2026-08-10T12:00:00Z").await;
    for (tokens, at) in [
        (1, "2024-02-29T23:59:59.999999Z"),
        (2, "2026-06-30T12:00:00Z"),
        (4, "2026-07-01T00:00:00Z"),
        (8, "2026-08-10T11:00:00Z"),
    ] {
        record(&server, &used("ann", tokens, "0.1", at)).await;
    }
    let tokens = async |query: &str| {
        let stats = data(&server, &format!("usage/ann{query}")).await;
        (stats["billing_period"].as_str().unwrap().to_owned(), stats["total_tokens"].clone())
    };
    for (query, period, total) in [
        ("", "2026-08", 8),
        ("?billing_period=2026-07", "2026-07", 4),
        ("?billing_period=2026-06", "2026-06", 2),
        ("?billing_period=2024-02", "2024-02", 1),
        ("?billing_period=2024-03", "2024-03", 0),
        ("?billing_period=all", "all", 15),
    ] {
        assert_eq!(tokens(query).await, (period.into(), Value::from(total)), "{query}");
    }
    let wrong = server.get("/api/subscription/usage/ann?billing_period=2026-13").await;
    let wrong = failure(wrong, 400, "SubscriptionException");
    assert_eq!(wrong["details"]["errors"][0]["pointer"], "/billing_period");
    assert_eq!(wrong["user_id"], "ann");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unseen_user_has_used_nothing() {
    let server = shared().await;
    let stats = data(&server, "usage/nobody%2Fat%20all").await;
    for member in ["total_calls", "total_tokens", "total_cost", "avg_response_time", "error_rate"] {
        assert_eq!(stats[member].to_string(), "0", "{member}");
    }
    assert_eq!(stats["usage_status"], "active");
    assert_eq!(stats["provider_breakdown"], json!({}));
}
