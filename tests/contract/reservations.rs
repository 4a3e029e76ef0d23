use serde_json::{Value, json};

use super::{COST, call, gemini_calls, reserve, statistics, use_calls, with};
use crate::support::{Client, eventually, shared};

async fn state(client: &Client, hold: &str) -> Value {
    client.get(hold).await.expect(200)["state"].take()
}

fn usage(input_tokens: u64, output_tokens: u64) -> Value {
    json!({ "usage": { "input_tokens": input_tokens, "output_tokens": output_tokens } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_becomes_what_was_really_used() {
    let server = shared().await;
    server.subscribe("hold-pro", "pro").await;
    let held = server.post("/v1/reservations", &call("hold-pro")).await.expect(201);
    assert_eq!((&held["allowed"], &held["estimated_cost"]), (&json!(true), &json!(COST)));
    assert!(held["expires_at"].as_str().unwrap().starts_with("2026-08-10T12:"), "{held}");
    let hold = format!("/v1/reservations/{}", held["reservation_id"].as_str().unwrap());
    assert_eq!(state(&server, &hold).await, "held");
    assert_eq!(gemini_calls(&server, "hold-pro", "hold-pro").await, ("0".into(), "1".into()));

    let settled = server.post(&format!("{hold}/settle"), &usage(2_000, 100)).await.expect(200);
    assert_eq!(settled["cost"], "0.0002875");
    for flag in ["unpriced", "overage", "late"] {
        assert_eq!(settled[flag], false, "{flag}: {settled}");
    }
    assert_eq!(
        settled["charges"],
        json!([
            { "quantity": "input_tokens", "amount": "2000", "unit_price": "0.000000125", "cost": "0.00025" },
            { "quantity": "output_tokens", "amount": "100", "unit_price": "0.000000375", "cost": "0.0000375" },
        ])
    );
    assert_eq!(state(&server, &hold).await, "settled");
    assert_eq!(gemini_calls(&server, "hold-pro", "hold-pro").await, ("1".into(), "0".into()));
    assert_eq!(statistics(&server, "hold-pro").await["total_cost"].to_string(), "0.0002875");
}

#[tokio::test(flavor = "multi_thread")]
async fn settling_again_gives_the_same_answer_and_other_numbers_conflict() {
    let server = shared().await;
    let hold = reserve(&server, &call("hold-twice")).await;
    let settle = format!("{hold}/settle");
    let first = server.post(&settle, &usage(10, 5)).await.expect(200);
    assert_eq!(server.post(&settle, &usage(10, 5)).await.expect(200), first);
    server.post(&settle, &usage(10, 6)).await.problem(409);
    server.delete(&hold).await.problem(409);
    assert_eq!(statistics(&server, "hold-twice").await["total_tokens"], 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_hold_gives_its_quota_back() {
    let server = shared().await;
    let hold = reserve(&server, &call("hold-released")).await;
    for _ in 0..2 {
        server.delete(&hold).await.expect(204);
    }
    assert_eq!(state(&server, &hold).await, "released");
    let standing = gemini_calls(&server, "hold-released", "hold-released").await;
    assert_eq!(standing, ("0".into(), "0".into()));
    let problem = server.post(&format!("{hold}/settle"), &usage(1, 1)).await.problem(409);
    assert!(problem["detail"].as_str().unwrap().contains("POST /v1/usage"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_hold_gives_its_quota_back_and_still_settles() {
    let server = shared().await;
    let hold = reserve(&server, &with(call("hold-expired"), "ttl_seconds", 1)).await;
    eventually("the hold expires", async || {
        (state(&server, &hold).await == "expired").then_some(())
    })
    .await;
    let subject = "hold-expired";
    assert_eq!(gemini_calls(&server, subject, subject).await, ("0".into(), "0".into()));
    let settled = server.post(&format!("{hold}/settle"), &usage(1_000, 500)).await.expect(200);
    assert_eq!((&settled["late"], &settled["cost"]), (&json!(true), &json!(COST)));
    assert_eq!(gemini_calls(&server, subject, subject).await, ("1".into(), "0".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_has_a_status_and_a_type_of_its_own_and_consumes_nothing() {
    let server = shared().await;
    server.subscribe("hold-priced", "pro").await;
    let suspended = json!({ "plan": "free", "status": "suspended" });
    server.put("/api/subscription/user/hold-idle/subscription", &suspended).await.expect(200);
    use_calls(&server, "hold-full", 100).await;

    let openai = with(with(call("hold-free"), "provider", "openai"), "model", "gpt-4o");
    let mut types = Vec::new();
    for (call, status, reason) in [
        (call("hold-full"), 429, "quota_exceeded"),
        (openai, 403, "not_in_plan"),
        (call("hold-idle"), 403, "subscription_inactive"),
        (with(call("hold-priced"), "model", "gemini-of-tomorrow"), 422, "unpriced"),
    ] {
        let problem = server.post("/v1/reservations", &call).await.problem(status);
        assert_eq!(problem["denied"]["reason"], reason, "{problem}");
        types.push(problem["type"].clone());
        if reason == "quota_exceeded" {
            assert_eq!(problem["violated-policies"], json!(["gemini_calls"]));
        }
    }
    assert_eq!(types[0], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    types.sort_by_key(Value::to_string);
    types.dedup();
    assert_eq!(types.len(), 4, "{types:?}");
    assert_eq!(gemini_calls(&server, "hold-full", "hold-full").await, ("100".into(), "0".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overage_is_a_fact_and_is_flagged() {
    let server = shared().await;
    let hold = reserve(&server, &call("hold-overage")).await;
    let settled = server.post(&format!("{hold}/settle"), &usage(100_000, 1)).await.expect(200);
    assert_eq!(settled["overage"], true);
    assert_eq!(statistics(&server, "hold-overage").await["total_tokens"], 100_001);
    server.post("/v1/reservations", &call("hold-overage")).await.problem(429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_nobody_took_is_not_found() {
    let server = shared().await;
    server.get("/v1/reservations/nobody").await.problem(404);
    server.delete("/v1/reservations/nobody").await.problem(404);
    server.post("/v1/reservations/nobody/settle", &usage(1, 1)).await.problem(404);
}
