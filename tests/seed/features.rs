//! "Features" of the seed's page: a test for each sentence that no other module has.

use serde_json::{Value, json};

use super::{calls, data, failure};
use crate::support::{Home, Server, shared};

const ENFORCE: &str = "/api/subscription/enforce";
const TRACK: &str = "/api/subscription/track";

/// Providers, one of their models, and what 1,000 tokens in and 500 out, or one search, page or
/// image, cost by the shipped list.
const PROVIDERS: [(&str, Option<&str>, &str); 10] = [
    ("gemini", Some("gemini-2.5-flash"), "0.0003125"),
    ("openai", Some("gpt-4o"), "0.0075"),
    ("anthropic", Some("claude-sonnet-4-5"), "0.0105"),
    ("mistral", Some("mistral-large-latest"), "0.00125"),
    ("tavily", None, "0.001"),
    ("serper", None, "0.001"),
    ("metaphor", None, "0.003"),
    ("exa", None, "0.005"),
    ("firecrawl", None, "0.00083"),
    ("stability", Some("stable-image-core"), "0.03"),
];

/// Whether a provider counts tokens.
fn counts_tokens(provider: &str) -> bool {
    ["gemini", "openai", "anthropic", "mistral"].contains(&provider)
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_based_billing_tracks_api_calls_tokens_and_costs_across_all_providers() {
    let home = Home::new();
    let server = Server::start_at(&home, "2026-08-31T23:00:00Z").await;
    server.subscribe("ann", "enterprise").await;
    for (provider, model, cost) in PROVIDERS {
        let (input, output) = if counts_tokens(provider) { (1_000, 500) } else { (0, 0) };
        let call = json!({
            "user_id": "ann", "provider": provider, "model": model, "endpoint": "/api/generate",
            "method": "POST", "tokens_input": input, "tokens_output": output, "response_time": 1,
        });
        for _ in 0..2 {
            let told = server.post(TRACK, &call).await.data();
            assert_eq!(told["cost_total"].to_string(), cost, "{provider}");
        }
    }
    let usage = data(&server, "usage/ann").await;
    assert_eq!((&usage["total_calls"], &usage["total_tokens"]), (&json!(20), &json!(12_000)));
    // Twice 0.0603925.
    assert_eq!(usage["total_cost"].to_string(), "0.120785");
    for (provider, ..) in PROVIDERS {
        let part = &usage["provider_breakdown"][provider];
        let tokens = if counts_tokens(provider) { 3_000 } else { 0 };
        assert_eq!((&part["calls"], &part["tokens"]), (&json!(2), &json!(tokens)), "{provider}");
    }
    server.kill();
    let server = Server::start_at(&home, "2026-09-01T00:00:00Z").await;
    let billed = data(&server, "billing-history/ann").await;
    let entry = &billed["history"][0];
    assert_eq!((&entry["total_calls"], &entry["total_tokens"]), (&json!(20), &json!(12_000)));
    assert_eq!(entry["exact_usage_cost"].to_string(), "0.120785");
    assert_eq!(entry["total"].to_string(), "199.12", "the fee and the use");
}

#[tokio::test(flavor = "multi_thread")]
async fn subscription_tiers_free_basic_pro_and_enterprise_have_different_limits() {
    let server = shared().await;
    for (plan, gemini, openai) in
        [("free", 100, 0), ("basic", 1_000, 500), ("pro", 5_000, 2_500), ("enterprise", 0, 0)]
    {
        let user = format!("tier-{plan}");
        server.subscribe(&user, plan).await;
        for (provider, limit) in [("gemini", gemini), ("openai", openai)] {
            let ask = json!({ "user_id": user, "provider": provider });
            if plan == "free" && provider == "openai" {
                failure(server.post(ENFORCE, &ask).await, 403, "SubscriptionException");
                continue;
            }
            let used = if limit == 0 { 1_000_000 } else { limit - 1 };
            super::record(&server, &calls(&user, provider, used)).await;
            server.post(ENFORCE, &ask).await.data();
            super::record(&server, &calls(&user, provider, 1)).await;
            let answer = server.post(ENFORCE, &ask).await;
            match limit {
                0 => assert_eq!(answer.data()["can_proceed"], true, "{plan} {provider}"),
                limit => {
                    let refused = failure(answer, 429, "UsageLimitExceededException");
                    assert_eq!(refused["details"]["limit_value"], limit, "{plan} {provider}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_time_monitoring_shows_live_usage_and_limits_are_enforced() {
    let server = shared().await;
    super::record(&server, &calls("live", "gemini", 97)).await;
    for used in 98..=100 {
        let ask = json!({ "user_id": "live", "provider": "gemini" });
        server.post(ENFORCE, &ask).await.data();
        super::record(&server, &calls("live", "gemini", 1)).await;
        let dashboard = data(&server, "dashboard/live").await;
        assert_eq!(dashboard["summary"]["total_api_calls_this_month"], used);
        let percentage = &dashboard["current_usage"]["usage_percentages"]["gemini_calls"];
        assert_eq!(*percentage, used);
        let logs = data(&server, "usage-logs/live").await;
        assert_eq!(logs["total_count"], used - 96);
    }
    let ask = json!({ "user_id": "live", "provider": "gemini" });
    failure(server.post(ENFORCE, &ask).await, 429, "UsageLimitExceededException");
    assert_eq!(data(&server, "usage/live").await["usage_status"], "limit_reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn cost_calculation_is_accurate_for_gemini_openai_anthropic_and_other_apis() {
    let server = shared().await;
    for (provider, model, cost) in PROVIDERS {
        let usage = match counts_tokens(provider) {
            true => json!({ "input_tokens": 1_000, "output_tokens": 500 }),
            false => json!({}),
        };
        let asked = json!({ "provider": provider, "model": model, "usage": usage });
        let quote = server.post("/v1/quote", &asked).await.expect(200);
        assert_eq!(quote["cost"], cost, "{provider}");
    }
    // The page's own prices, for a million tokens in and out.
    for (model, cost) in [
        ("gemini-2.0-flash-lite", "0.375"),
        ("gemini-2.5-flash", "0.5"),
        ("gemini-2.5-pro", "11.25"),
    ] {
        let usage = json!({ "input_tokens": 1_000_000, "output_tokens": 1_000_000 });
        let asked = json!({ "provider": "gemini", "model": model, "usage": usage });
        assert_eq!(server.post("/v1/quote", &asked).await.expect(200)["cost"], cost, "{model}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn robust_error_handling_answers_every_mistake_and_loses_nothing() {
    let server = shared().await;
    let track = json!({ "user_id": "robust", "provider": "gemini", "tokens_input": 5, "cost": 1 });
    server.post(TRACK, &track).await.data();
    let with = |member: &str, value: Value| {
        let mut wrong = track.clone();
        wrong[member] = value;
        wrong
    };
    for wrong in [
        with("tokens_input", json!(-5)),
        with("cost", json!("a lot")),
        with("user_id", json!("")),
        with("method", json!(["POST"])),
        with("tokens", json!(5)),
        json!([]),
        Value::Null,
    ] {
        let failed = failure(server.post(TRACK, &wrong).await, 400, "TrackingException");
        assert!(!failed["message"].as_str().unwrap().is_empty(), "{failed}");
    }
    for (path, status) in [
        ("/api/subscription/nothing", 404),
        ("/api/subscription/usage/robust?billing_period=2026-13", 400),
        ("/api/subscription/usage/robust/trends?months=37", 400),
        ("/api/subscription/track", 405),
    ] {
        failure(server.get(path).await, status, "SubscriptionException");
    }
    let usage = data(&server, "usage/robust").await;
    assert_eq!((&usage["total_calls"], &usage["total_tokens"]), (&json!(1), &json!(5)));
    assert_eq!(usage["total_cost"].to_string(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feature_of_the_plan_can_be_required_by_a_call() {
    let server = shared().await;
    let call = |user: &str| {
        json!({
            "subject": user, "provider": "gemini", "model": "gemini-2.5-flash",
            "usage": { "input_tokens": 1 }, "features": ["white_label"],
        })
    };
    server.subscribe("brand-pro", "pro").await;
    server.subscribe("brand-own", "enterprise").await;
    let refused = server.post("/v1/reservations", &call("brand-pro")).await.problem(403);
    assert_eq!(refused["denied"]["reason"], "not_in_plan");
    assert!(refused["denied"]["message"].as_str().unwrap().contains("white_label"), "{refused}");
    server.post("/v1/reservations", &call("brand-own")).await.expect(201);
    let features = data(&server, "user/brand-own/subscription").await["features"].clone();
    assert!(features.as_array().unwrap().contains(&json!("white_label")));
}
