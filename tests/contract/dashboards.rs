use serde_json::{Value, json};

use super::{call, gemini_calls, statistics, use_calls, with};
use crate::support::{Answer, shared};

/// The body of a failure in this family.
#[track_caller]
fn failure(answer: Answer, status: u16, error: &str) -> Value {
    let failure = answer.expect(status);
    assert_eq!(
        (&failure["success"], &failure["error"]),
        (&json!(false), &json!(error)),
        "{failure}"
    );
    for member in ["message", "timestamp"] {
        assert!(failure[member].is_string(), "{member} is missing from {failure}");
    }
    assert!(failure["details"].is_object(), "{failure}");
    failure
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_are_listed_cheapest_first_with_numbers_for_every_limit() {
    let server = shared().await;
    let plans = server.get("/api/subscription/plans").await.data();
    assert_eq!(plans["total"], 4);
    let listed: Vec<_> = plans["plans"].as_array().unwrap().iter().collect();
    let ids: Vec<_> = listed.iter().map(|plan| plan["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["free", "basic", "pro", "enterprise"]);
    let prices: Vec<_> = listed.iter().map(|plan| plan["price_monthly"].to_string()).collect();
    assert_eq!(prices, ["0", "29", "79", "199"]);
    let limits = "gemini_calls openai_calls anthropic_calls mistral_calls tavily_calls \
                  serper_calls metaphor_calls firecrawl_calls stability_calls gemini_tokens \
                  openai_tokens anthropic_tokens mistral_tokens monthly_cost";
    for plan in listed {
        let sold = if plan["id"] == "free" { json!(["gemini"]) } else { Value::Null };
        assert_eq!(plan["providers"], sold);
        for limit in limits.split_whitespace() {
            assert!(plan["limits"][limit].is_number(), "{limit} in {plan}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_plan_takes_effect_at_once_and_keeps_what_was_used() {
    let server = shared().await;
    let path = "/api/subscription/user/dash-upgrade/subscription";
    assert_eq!(server.get(path).await.data()["plan_id"], "free");
    use_calls(&server, "dash-upgrade", 100).await;
    server.post("/v1/reservations", &call("dash-upgrade")).await.problem(429);
    let subscription = server.put(path, &json!({ "plan": "pro" })).await.data();
    assert_eq!(subscription["plan_id"], "pro");
    assert_eq!(subscription["plan_name"], "Pro");
    assert_eq!(server.get(path).await.data(), subscription);
    server.post("/v1/reservations", &call("dash-upgrade")).await.expect(201);
    let standing = gemini_calls(&server, "dash-upgrade", "dash-upgrade").await;
    assert_eq!(standing, ("100".into(), "1".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_to_what_does_not_exist_is_refused() {
    let server = shared().await;
    let path = "/api/subscription/user/dash-unknown/subscription";
    let answer = server.put(path, &json!({ "plan": "platinum" })).await;
    let status = answer.status;
    assert!(status.is_client_error(), "{}", answer.text);
    let failure = failure(answer, status.as_u16(), "SubscriptionException");
    assert_eq!(failure["user_id"], "dash-unknown");
    assert_eq!(server.get(path).await.data()["plan_id"], "free");
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_add_up_exactly() {
    let server = shared().await;
    server.subscribe("dash-sums", "pro").await;
    for (response_time_ms, status_code) in [(1_000, 200), (2_000, 200), (2_000, 503)] {
        let event = with(call("dash-sums"), "response_time_ms", response_time_ms);
        server.post("/v1/usage", &with(event, "status_code", status_code)).await.expect(201);
    }
    let openai = with(with(call("dash-sums"), "provider", "openai"), "model", "gpt-4o");
    server.post("/v1/usage", &openai).await.expect(201);
    let sums = statistics(&server, "dash-sums").await;
    for (member, text) in [
        ("billing_period", "\"2026-08\""),
        ("usage_status", "\"active\""),
        ("total_calls", "4"),
        ("total_tokens", "6000"),
        ("total_cost", "0.0084375"),
        ("avg_response_time", "1.666667"),
    ] {
        assert_eq!(sums[member].to_string(), text, "{member}");
    }
    assert_eq!(sums["error_rate"].to_string().parse::<f64>().unwrap(), 25.0);
    let part = |calls: u64, cost: &str| {
        format!("{{\"calls\":{calls},\"tokens\":{},\"cost\":{cost}}}", calls * 1_500)
    };
    let (gemini, openai) =
        (&sums["provider_breakdown"]["gemini"], &sums["provider_breakdown"]["openai"]);
    assert_eq!(gemini.to_string(), part(3, "0.0009375"));
    assert_eq!(openai.to_string(), part(1, "0.0075"));
}
