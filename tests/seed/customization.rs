//! "Customization" of the seed's page: providers and plans that are added and changed, without any
//! code.

use serde_json::{Value, json};

use super::{data, failure};
use crate::support::{Home, Server};

const ENFORCE: &str = "/api/subscription/enforce";
const TRACK: &str = "/api/subscription/track";

#[tokio::test(flavor = "multi_thread")]
async fn a_new_api_provider_needs_a_price_and_is_then_tracked_limited_and_billed() {
    let server = Server::start(&Home::new()).await;
    let ask = json!({ "user_id": "ann", "provider": "newai", "model": "new-1" });
    server.subscribe("ann", "pro").await;
    let unpriced = failure(server.post(ENFORCE, &ask).await, 422, "PricingException");
    assert_eq!(unpriced["details"]["reason"], "unpriced");

    let price = json!({
        "cost_per_input_token": 0.000002, "cost_per_output_token": 0.000008,
        "description": "New 1", "effective_date": "2026-01-01",
    });
    server.put("/api/subscription/pricing/newai/new-1", &price).await.expect(200);
    let listed = data(&server, "pricing?provider=newai").await;
    assert_eq!(listed["pricing"][0]["cost_per_output_token"].to_string(), "0.000008");

    let plan = json!({
        "name": "New", "tier": "new", "price_monthly": 9, "price_yearly": 90,
        "providers": ["newai"],
        "quotas": [{ "name": "newai_calls", "meter": "calls", "providers": ["newai"], "limit": 3 }],
    });
    server.put("/api/subscription/plans/new", &plan).await.expect(200);
    server.subscribe("ann", "new").await;
    let call = json!({
        "user_id": "ann", "provider": "newai", "model": "new-1", "endpoint": "/api/new",
        "method": "POST", "tokens_input": 1_000, "tokens_output": 500, "response_time": 0.5,
    });
    for _ in 0..3 {
        server.post(ENFORCE, &ask).await.data();
        let told = server.post(TRACK, &call).await.data();
        assert_eq!(told["cost_total"].to_string(), "0.006");
    }
    let refused = failure(server.post(ENFORCE, &ask).await, 429, "UsageLimitExceededException");
    assert_eq!(refused["details"]["provider"], "newai");
    let usage = data(&server, "usage/ann").await;
    let expected = "{\"calls\":3,\"tokens\":4500,\"cost\":0.018}";
    assert_eq!(usage["provider_breakdown"]["newai"].to_string(), expected);
    assert_eq!(usage["usage_percentages"]["newai_calls"], 100);
    assert_eq!(usage["alerts"].as_array().unwrap().len(), 3);
    let trends = data(&server, "usage/ann/trends").await;
    assert_eq!(trends["provider_trends"]["newai"]["calls"][5], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plans_limits_pricing_and_features_are_modified_and_billing_follows() {
    let home = Home::new();
    let server = Server::start_at(&home, "2026-08-31T12:00:00Z").await;
    server.subscribe("ann", "basic").await;
    super::record(&server, &super::calls("ann", "gemini", 1_000)).await;
    let ask = json!({ "user_id": "ann", "provider": "gemini" });
    failure(server.post(ENFORCE, &ask).await, 429, "UsageLimitExceededException");

    let plans = data(&server, "plans").await;
    let mut basic = plans["plans"][1].clone();
    basic.as_object_mut().unwrap().remove("limits");
    basic["price_monthly"] = json!(31.5);
    basic["features"] = json!(["white_label"]);
    for quota in basic["quotas"].as_array_mut().unwrap() {
        if quota["name"] == "gemini_calls" {
            quota["limit"] = json!(1_500);
        }
    }
    server.put("/api/subscription/plans/basic", &basic).await.expect(200);
    server.post(ENFORCE, &ask).await.data();
    let subscription = data(&server, "user/ann/subscription").await;
    assert_eq!(subscription["limits"]["gemini_calls"], 1_500);
    assert_eq!(subscription["features"], json!(["white_label"]));
    let usage = data(&server, "usage/ann").await;
    assert_eq!(usage["usage_percentages"]["gemini_calls"].to_string(), "66.7");

    basic["features"] = json!([]);
    server.put("/api/subscription/plans/basic", &basic).await.expect(200);
    let call = json!({
        "subject": "ann", "provider": "gemini", "features": ["white_label"],
        "usage": { "input_tokens": 1 },
    });
    let check = server.post("/v1/check", &call).await.expect(200);
    assert_eq!(check["denied"]["reason"], "not_in_plan", "{check}");
    server.kill();

    let server = Server::start_at(&home, "2026-09-01T00:00:00Z").await;
    let billed = data(&server, "billing-history/ann").await;
    let entry: &Value = &billed["history"][0];
    assert_eq!(entry["subscription_fee"].to_string(), "31.5");
    assert_eq!(entry["total_calls"], 1_000);
}
