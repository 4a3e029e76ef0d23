use serde_json::{Value, json};

use super::{COST, call, statistics, with};
use crate::support::shared;

fn event(subject: &str, id: &str) -> Value {
    with(call(subject), "event_id", id)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_counts_once_however_often_it_is_sent() {
    let server = shared().await;
    let first = server.post("/v1/usage", &event("record-once", "e1")).await.expect(201);
    assert_eq!((&first["event_id"], &first["cost"]), (&json!("e1"), &json!(COST)));
    let again = server.post("/v1/usage", &event("record-once", "e1")).await.expect(200);
    assert_eq!((&again["duplicate"], &again["cost"]), (&json!(true), &json!(COST)));
    let other = with(event("record-once", "e1"), "status_code", 500);
    server.post("/v1/usage", &other).await.problem(409);
    // Another subject has ids of its own.
    server.post("/v1/usage", &event("record-other", "e1")).await.expect(201);
    assert_eq!(statistics(&server, "record-once").await["total_calls"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_found_by_its_subject_and_id() {
    let server = shared().await;
    server.post("/v1/usage", &event("record-find", "e1")).await.expect(201);
    let found = server.get("/v1/usage?subject=record-find&event_id=e1").await.expect(200);
    assert_eq!((&found["event_id"], &found["cost"]), (&json!("e1"), &json!(COST)));
    server.get("/v1/usage?subject=record-find&event_id=e2").await.problem(404);
    server.get("/v1/usage?subject=record-other&event_id=e9").await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_event_of_a_list_costs_no_good_one() {
    let server = shared().await;
    let events = json!([
        event("record-list", "e1"),
        with(event("record-list", "e2"), "modle", "typo"),
        event("record-list", "e1"),
        with(event("record-list", "e1"), "status_code", 500),
        event("record-list", "e3"),
    ]);
    let answer = server.post("/v1/usage", &events).await.expect(200);
    let counts = ["accepted", "duplicates", "rejected"].map(|count| answer[count].to_string());
    assert_eq!(counts, ["2", "1", "2"], "{answer}");
    let problems = answer["problems"].as_array().unwrap().iter();
    let problems: Vec<_> = problems.map(|one| (&one["index"], &one["problem"]["status"])).collect();
    assert_eq!(problems, [(&json!(1), &json!(400)), (&json!(3), &json!(409))], "{answer}");
    assert_eq!(statistics(&server, "record-list").await["total_calls"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cost_that_the_caller_gives_wins_and_one_that_nobody_knows_is_null() {
    let server = shared().await;
    let given = with(event("record-cost", "e1"), "cost", "1.50");
    let answer = server.post("/v1/usage", &given).await.expect(201);
    assert_eq!((&answer["cost"], &answer["unpriced"]), (&json!("1.5"), &json!(false)));
    let unknown = with(event("record-cost", "e2"), "model", "gemini-of-tomorrow");
    let answer = server.post("/v1/usage", &unknown).await.expect(201);
    assert_eq!((&answer["cost"], &answer["unpriced"]), (&json!(null), &json!(true)));
    let statistics = statistics(&server, "record-cost").await;
    assert_eq!(statistics["total_calls"], 2);
    assert_eq!(statistics["total_cost"].to_string(), "1.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_counts_in_the_period_when_it_happened_and_not_in_the_far_future() {
    let server = shared().await;
    let at = |time: &str| with(call("record-when"), "occurred_at", time);
    server.post("/v1/usage", &at("2026-07-31T23:59:59Z")).await.expect(201);
    server.post("/v1/usage", &at("2026-08-01T00:00:00Z")).await.expect(201);
    let problem = server.post("/v1/usage", &at("2026-08-10T13:00:00Z")).await.problem(400);
    assert_eq!(problem["errors"][0]["pointer"], "/occurred_at");
    assert_eq!(statistics(&server, "record-when").await["total_calls"], 1);
    let july =
        server.get("/api/subscription/usage/record-when?billing_period=2026-07").await.data();
    assert_eq!((&july["total_calls"], &july["billing_period"]), (&json!(1), &json!("2026-07")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_of_a_provider_is_read_for_what_was_used() {
    let server = shared().await;
    let mut event = event("record-raw", "e1");
    event.as_object_mut().unwrap().remove("usage");
    event["response"] = json!({
        "modelVersion": "gemini-2.5-flash",
        "usageMetadata": {
            "promptTokenCount": 1_000, "candidatesTokenCount": 400, "thoughtsTokenCount": 100,
        },
        "whatever": "else the provider sends",
    });
    let answer = server.post("/v1/usage", &event).await.expect(201);
    assert_eq!(answer["cost"], COST, "{answer}");
}
