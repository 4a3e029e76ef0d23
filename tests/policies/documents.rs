use serde_json::{Value, json};

use super::{TIERS, limit, policies};
use crate::support::{Answer, Home, Server, eventually};

/// A plan with one quota, as in a body.
fn plan(limit: impl Into<Value>) -> Value {
    json!({
        "name": "Laid", "tier": "free", "price_monthly": 1.50, "price_yearly": "15",
        "quotas": [{ "name": "gemini_calls", "meter": "calls", "limit": limit.into() }],
    })
}

async fn plans(server: &Server) -> Vec<Value> {
    let plans = server.get("/api/subscription/plans").await.data();
    plans["plans"].as_array().unwrap().clone()
}

#[track_caller]
fn failure(answer: Answer, status: u16) -> Value {
    let failure = answer.expect(status);
    assert_eq!(failure["success"], false);
    failure
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_created_changed_and_deleted_at_runtime() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let path = "/api/subscription/plans/team";
    let created = server.put(path, &plan(5)).await.data();
    assert_eq!((&created["id"], &created["price_monthly"]), (&json!("team"), &json!(1.5)));
    assert_eq!(plans(&server).await.len(), 5);

    server.subscribe("ann", "team").await;
    assert_eq!(limit(&server, "ann").await, "5");
    server.put(path, &plan("6")).await.data();
    assert_eq!(limit(&server, "ann").await, "6");
    assert!(failure(server.delete(path).await, 409)["message"].as_str().unwrap().contains("team"));

    server.subscribe("ann", "free").await;
    server.delete(path).await.data();
    failure(server.delete(path).await, 404);
    assert_eq!(plans(&server).await.len(), 4);
    failure(server.delete("/api/subscription/plans/free").await, 409);

    // What a file has is taken away, and comes back with a document of its own.
    server.delete("/api/subscription/plans/pro").await.data();
    assert_eq!(plans(&server).await.len(), 3);
    server.put("/api/subscription/plans/pro", &plan(9)).await.data();
    assert_eq!(plans(&server).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_plan_outlives_the_process_and_edits_of_the_file_which_it_never_touches() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let file = std::fs::read(home.policy(TIERS)).unwrap();
    server.put("/api/subscription/plans/free", &plan(5)).await.data();
    assert_eq!(std::fs::read(home.policy(TIERS)).unwrap(), file);
    let before = policies(&server).await["revision"].clone();
    home.edit(TIERS, "limit = 100 }", "limit = 101 }");
    eventually("the file is taken over", async || {
        (policies(&server).await["revision"] != before).then_some(())
    })
    .await;
    assert_eq!(limit(&server, "ann").await, "5");
    server.kill();
    let server = Server::start(&home).await;
    assert_eq!(limit(&server, "ann").await, "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_makes_no_sense_is_refused_and_the_field_named() {
    let server = Server::start(&Home::new()).await;
    let before = policies(&server).await["revision"].clone();
    for (body, pointer) in [
        (plan(-1), "/quotas/0/limit"),
        (json!({ "name": "Laid" }), "/tier"),
        (json!({ "id": "other" }), "/id"),
        (json!([]), ""),
    ] {
        let failure = failure(server.put("/api/subscription/plans/team", &body).await, 400);
        assert_eq!(failure["details"]["errors"][0]["pointer"], pointer, "{failure}");
    }
    assert_eq!(policies(&server).await["revision"], before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_is_changed_at_runtime() {
    let server = Server::start(&Home::new()).await;
    let cost = async || {
        let usage = json!({ "input_tokens": 1_000, "output_tokens": 500 });
        let ask = json!({ "provider": "gemini", "model": "gemini-2.5-flash", "usage": usage });
        let quote = server.post("/v1/quote", &ask).await.expect(200);
        quote["cost"].as_str().unwrap().to_owned()
    };
    assert_eq!(cost().await, "0.0003125");
    let path = "/api/subscription/pricing/gemini/gemini-2.5-flash";
    let price = json!({
        "cost_per_input_token": 0.000001, "cost_per_output_token": 0.000002,
        "cost_per_request": 0, "description": "dearer",
    });
    let row = server.put(path, &price).await.data();
    assert_eq!(row["cost_per_input_token"].to_string(), "0.000001");
    assert_eq!(row["description"], "dearer");
    assert_eq!(cost().await, "0.002");
    // From a later day on, what holds today goes on.
    let later = json!({ "cost_per_input_token": 1, "effective_date": "2026-12-01" });
    server.put(path, &later).await.data();
    assert_eq!(cost().await, "0.002");
    let wrong = json!({ "cost_per_input_token": 1, "effective_date": "soon" });
    let failure = failure(server.put(path, &wrong).await, 400);
    assert_eq!(failure["error"], "PricingException");
}
