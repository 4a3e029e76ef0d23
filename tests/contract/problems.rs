use reqwest::Method;
use serde_json::{Value, json};

use super::{call, with};
use crate::support::{Answer, shared};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_pointed_at() {
    let server = shared().await;
    let usage = |usage: Value| with(call("problem"), "usage", usage);
    for (call, pointer, words) in [
        (with(call("problem"), "modle", "gpt-5"), "/modle", &["modle"][..]),
        (with(call("problem"), "provider", "OpenAI"), "/provider", &[]),
        (with(call("problem"), "subject", "a//b"), "/subject", &[]),
        (with(call("problem"), "ttl_seconds", 0), "/ttl_seconds", &[]),
        (usage(json!({ "input_tokens": -1 })), "/usage/input_tokens", &[]),
        (usage(json!({ "input_tokens": 1.5 })), "/usage/input_tokens", &[]),
        (usage(json!({ "input_tokens": "1" })), "/usage/input_tokens", &[]),
        (
            usage(json!({ "input_tokens": 5, "cache_read_tokens": 6 })),
            "/usage/cache_read_tokens",
            &["cache_read_tokens", "input_tokens"],
        ),
    ] {
        let problem = server.post("/v1/reservations", &call).await.problem(400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        for word in words {
            assert!(problem["errors"][0]["detail"].as_str().unwrap().contains(word), "{problem}");
        }
    }
    let mut without_subject = call("problem");
    without_subject.as_object_mut().unwrap().remove("subject");
    let problem = server.post("/v1/check", &without_subject).await.problem(400);
    assert_eq!(problem["errors"][0]["pointer"], "/subject", "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_json_or_no_route_or_too_long_is_a_problem_too() {
    let server = shared().await;
    let send = async |body: String| {
        let request = server.request(Method::POST, "/v1/check");
        Answer::to(request.header("content-type", "application/json").body(body)).await.unwrap()
    };
    send("{\"subject\":".to_owned()).await.problem(400);
    send(format!("\"{}\"", "x".repeat(1 << 20))).await.problem(413);
    server.get("/v1/nowhere").await.problem(404);
    server.get("/v1/check").await.problem(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_a_request_id_of_its_own() {
    let server = shared().await;
    let ok = server.post("/v1/check", &call("problem-id")).await;
    let bad = server.post("/v1/check", &json!({})).await;
    let nowhere = server.get("/nowhere").await;
    let mut ids = [&ok, &bad, &nowhere].map(|answer| answer.header("x-request-id").to_owned());
    ids.sort();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_says_that_it_lives_and_is_ready() {
    let server = shared().await;
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.get("/readyz").await.status, 200);
}
