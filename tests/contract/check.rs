use serde_json::json;

use super::{COST, call, check, use_calls, with};
use crate::support::shared;

#[tokio::test(flavor = "multi_thread")]
async fn a_check_shows_every_quota_that_the_call_touches_and_changes_none() {
    let server = shared().await;
    server.subscribe("check-pro", "pro").await;
    let first = check(&server, &call("check-pro")).await;
    assert_eq!(first["allowed"], true);
    assert_eq!(first["estimated_cost"], COST);
    assert_eq!(first["denied"], json!(null));
    assert!(first["revision"].is_string());
    let quota = |name: &str, limit: &str| {
        json!({
            "subject": "check-pro", "plan": "pro", "name": name, "mode": "hard",
            "window": "month", "limit": limit, "used": "0", "reserved": "0", "remaining": limit,
            "exceeded": false, "resets_at": "2026-09-01T00:00:00Z",
        })
    };
    let touched = [
        quota("gemini_calls", "5000"),
        quota("gemini_tokens", "5000000"),
        quota("monthly_cost", "150"),
    ];
    assert_eq!(first["quotas"], json!(touched));
    assert_eq!(check(&server, &call("check-pro")).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_quota_is_named_with_its_numbers() {
    let server = shared().await;
    use_calls(&server, "check-full", 100).await;
    let answer = check(&server, &call("check-full")).await;
    assert_eq!(answer["allowed"], false);
    let denied = &answer["denied"];
    assert!(denied["message"].as_str().is_some_and(|message| !message.is_empty()), "{denied}");
    let without_message = with(denied.clone(), "message", "");
    assert_eq!(
        without_message,
        json!({
            "reason": "quota_exceeded", "quota": "gemini_calls", "subject": "check-full",
            "plan": "free", "message": "", "limit": "100", "used": "100", "reserved": "0",
            "requested": "1", "resets_at": "2026-09-01T00:00:00Z",
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reason_for_a_refusal_has_its_word() {
    let server = shared().await;
    server.subscribe("check-priced", "pro").await;
    let suspended = json!({ "plan": "pro", "status": "suspended" });
    server.put("/api/subscription/user/check-idle/subscription", &suspended).await.expect(200);

    let unknown_model = |subject| with(call(subject), "model", "gemini-of-tomorrow");
    let openai = with(with(call("check-free"), "provider", "openai"), "model", "gpt-4o");
    for (call, reason) in [
        (openai, "not_in_plan"),
        (with(call("check-free"), "features", json!(["white_label"])), "not_in_plan"),
        (unknown_model("check-priced"), "unpriced"),
        (call("check-idle"), "subscription_inactive"),
    ] {
        let answer = check(&server, &call).await;
        assert_eq!(answer["allowed"], false, "{answer}");
        assert_eq!(answer["denied"]["reason"], reason, "{answer}");
    }
    // Where no level limits cost, a call may go unpriced.
    let answer = check(&server, &unknown_model("check-free")).await;
    assert_eq!((&answer["allowed"], &answer["estimated_cost"]), (&json!(true), &json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_larger_than_what_is_left_is_refused_and_none_at_all_is_not() {
    let server = shared().await;
    let large = json!({ "input_tokens": 100_000, "output_tokens": 1 });
    let answer = check(&server, &with(call("check-estimate"), "usage", large)).await;
    assert_eq!(answer["denied"]["quota"], "gemini_tokens", "{answer}");
    assert_eq!(answer["denied"]["requested"], "100001");
    let answer = check(&server, &with(call("check-estimate"), "usage", json!({}))).await;
    assert_eq!(answer["allowed"], true, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_unknown_size_is_refused_where_nothing_is_left_of_tokens_or_money() {
    let server = shared().await;
    server.subscribe("check-spent", "pro").await;
    let unknown = |subject| with(call(subject), "usage", json!({}));
    let spent = with(with(unknown("check-spent"), "usage", json!({ "calls": 1 })), "cost", "150");
    server.post("/v1/usage", &spent).await.expect(201);
    let answer = check(&server, &unknown("check-spent")).await;
    assert_eq!(answer["denied"]["quota"], "monthly_cost", "{answer}");

    let used = with(call("check-used"), "usage", json!({ "input_tokens": 100_000 }));
    server.post("/v1/usage", &used).await.expect(201);
    let answer = check(&server, &unknown("check-used")).await;
    assert_eq!(answer["denied"]["quota"], "gemini_tokens", "{answer}");
}
