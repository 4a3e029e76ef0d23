use serde_json::{Value, json};

use super::{assert_members, calls, data, failure, record};
use crate::support::{Home, Server, eventually, shared};

const ENFORCE: &str = "/api/subscription/enforce";
const TRACK: &str = "/api/subscription/track";

fn ask(user: &str, provider: &str, tokens: u64) -> Value {
    json!({ "user_id": user, "provider": provider, "tokens_requested": tokens })
}

/// The call of the seed's page.
fn tracked(user: &str) -> Value {
    json!({
        "user_id": user, "provider": "gemini", "endpoint": "/api/generate", "method": "POST",
        "tokens_input": 1000, "tokens_output": 500, "cost": 0.00125, "response_time": 2.5,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_within_limits_can_proceed() {
    let server = shared().await;
    record(&server, &calls("enforced", "gemini", 40)).await;
    let allowed = server.post(ENFORCE, &ask("enforced", "gemini", 1_000)).await.data();
    assert_members(&allowed, "can_proceed message usage_info");
    assert_eq!(allowed["can_proceed"], true);
    let quotas = allowed["usage_info"]["quotas"].as_array().unwrap();
    let of = |name: &str| quotas.iter().find(|quota| quota["quota"] == name).unwrap();
    let calls = of("gemini_calls");
    assert_eq!((&calls["current_usage"], &calls["limit_value"]), (&json!(40), &json!(100)));
    assert_eq!((&calls["limit_type"], &calls["remaining"]), (&json!("api_calls"), &json!(60)));
    assert_eq!(of("gemini_tokens")["limit_value"], 100_000);
    let stats = data(&server, "usage/enforced").await;
    assert_eq!(stats["total_calls"], 40, "asking uses nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reached_limit_is_the_seeds_usage_limit_exception() {
    let server = shared().await;
    record(&server, &calls("exceeded", "gemini", 100)).await;
    let answer = server.post(ENFORCE, &ask("exceeded", "gemini", 1)).await;
    assert!(!answer.header("retry-after").is_empty());
    let refused = failure(answer, 429, "UsageLimitExceededException");
    assert_eq!(refused["user_id"], "exceeded");
    let details = &refused["details"];
    for (member, text) in [
        ("provider", "\"gemini\""),
        ("limit_type", "\"api_calls\""),
        ("current_usage", "100"),
        ("limit_value", "100"),
    ] {
        assert_eq!(details[member].to_string(), text, "{member}");
    }

    record(&server, &super::used("wordy", 99_500, "0", "2026-08-10T11:00:00Z")).await;
    server.post(ENFORCE, &ask("wordy", "gemini", 500)).await.data();
    let answer = server.post(ENFORCE, &ask("wordy", "gemini", 501)).await;
    let refused = failure(answer, 429, "UsageLimitExceededException");
    assert_eq!(refused["details"]["limit_type"], "tokens");
    assert_eq!(refused["details"]["current_usage"], 99_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_names_no_model_is_held_to_what_is_left_of_the_budget() {
    let server = shared().await;
    server.subscribe("budget", "basic").await;
    let event = |cost: &str| super::used("budget", 1, cost, "2026-08-10T11:00:00Z");
    record(&server, &event("49.999999")).await;
    server.post(ENFORCE, &ask("budget", "openai", 1_000)).await.data();
    record(&server, &event("0.000001")).await;
    let refused = server.post(ENFORCE, &ask("budget", "openai", 1_000)).await;
    let refused = failure(refused, 429, "UsageLimitExceededException");
    assert_eq!(refused["details"]["limit_type"], "cost");
    assert_eq!(refused["details"]["current_usage"].to_string(), "50");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_plan_does_not_sell_is_a_subscription_exception() {
    let server = shared().await;
    let refused = server.post(ENFORCE, &ask("unsold", "openai", 1)).await;
    let refused = failure(refused, 403, "SubscriptionException");
    assert_eq!(refused["details"]["reason"], "not_in_plan");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_priced_is_a_pricing_exception() {
    let server = shared().await;
    server.subscribe("priceless", "pro").await;
    let model = json!({ "user_id": "priceless", "provider": "openai", "model": "no-such-model" });
    let refused = failure(server.post(ENFORCE, &model).await, 422, "PricingException");
    assert_eq!(refused["details"]["reason"], "unpriced");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracked_call_is_recorded_as_it_was_told() {
    let server = shared().await;
    let event = server.post(TRACK, &tracked("tracked")).await.data();
    for (member, text) in [
        ("provider", "\"gemini\""),
        ("endpoint", "\"/api/generate\""),
        ("method", "\"POST\""),
        ("tokens_input", "1000"),
        ("tokens_output", "500"),
        ("tokens_total", "1500"),
        ("cost_total", "0.00125"),
        ("response_time", "2.5"),
        ("status", "\"success\""),
        ("billing_period", "\"2026-08\""),
        ("alerts", "[]"),
    ] {
        assert_eq!(event[member].to_string(), text, "{member}");
    }
    let logs = data(&server, "usage-logs/tracked").await;
    for (member, value) in logs["logs"][0].as_object().unwrap() {
        assert_eq!(*value, event[member], "{member}");
    }
    let stats = data(&server, "usage/tracked").await;
    assert_eq!(stats["total_cost"].to_string(), "0.00125");
    assert_eq!(stats["avg_response_time"].to_string(), "2.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracked_call_without_a_cost_is_priced() {
    let server = shared().await;
    let mut call = tracked("priced");
    call.as_object_mut().unwrap().remove("cost");
    call["model"] = json!("gemini-2.5-flash");
    call["status_code"] = json!(500);
    let event = server.post(TRACK, &call).await.data();
    let cost = ["cost_input", "cost_output", "cost_total"].map(|part| event[part].to_string());
    assert_eq!(cost, ["0.000125", "0.0001875", "0.0003125"]);
    assert_eq!((&event["status"], &event["status_code"]), (&json!("failed"), &json!(500)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_cannot_be_tracked_is_a_tracking_exception_that_names_the_field() {
    let server = shared().await;
    for (member, value, pointer) in [
        ("response_time", json!(-1), "/response_time"),
        ("tokens_input", json!(1.5), "/tokens_input"),
        ("provider", json!(""), "/provider"),
        ("tokens", json!(5), "/tokens"),
    ] {
        let mut call = tracked("untracked");
        call[member] = value;
        let wrong = failure(server.post(TRACK, &call).await, 400, "TrackingException");
        assert_eq!(wrong["details"]["errors"][0]["pointer"], pointer);
        assert_eq!(wrong["user_id"], "untracked");
    }
    let wrong = failure(server.post(TRACK, &json!({})).await, 400, "TrackingException");
    assert_eq!(wrong["user_id"], Value::Null);
    assert_eq!(data(&server, "usage/untracked").await["total_calls"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracked_call_under_a_key_counts_once() {
    let server = shared().await;
    let once = async || server.try_post_once(TRACK, "track-1", &tracked("keyed")).await.unwrap();
    let (first, again) = (once().await, once().await);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.data(), again.data());
    let other = server.try_post_once(TRACK, "track-1", &tracked("keyed-2")).await.unwrap();
    failure(other, 422, "TrackingException");
    assert_eq!(data(&server, "usage/keyed").await["total_calls"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracked_call_outlives_the_process() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let told = server.post(TRACK, &tracked("ann")).await.data();
    server.kill();
    let server = Server::start(&home).await;
    let logs = eventually("the log has it", async || {
        let logs = data(&server, "usage-logs/ann").await;
        (logs["total_count"] == 1).then_some(logs)
    });
    assert_eq!(logs.await["logs"][0]["id"], told["id"]);
}
