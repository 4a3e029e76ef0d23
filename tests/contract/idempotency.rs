use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{call, gemini_calls, reserve, statistics, use_calls, with};
use crate::support::{Answer, CLOCK_START, Client, Home, Server, shared};

/// Sends a request under a key.
async fn post(client: &Client, path: &str, key: &str, body: &Value) -> Answer {
    client.try_post_once(path, key, body).await.unwrap()
}

/// Two answers that differ in nothing but that the second says so.
#[track_caller]
fn assert_replayed(again: &Answer, first: &Answer) {
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    for header in ["ratelimit", "ratelimit-policy"] {
        assert_eq!(again.headers.get(header), first.headers.get(header));
    }
    assert!(first.headers.get("idempotency-replayed").is_none());
    assert_eq!(again.header("idempotency-replayed"), "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_and_body_give_the_first_answer_again() {
    let server = shared().await;
    let ask = call("key-same");
    let first = post(&server, "/v1/reservations", "same", &ask).await;
    assert_eq!((first.status.as_u16(), first.header("ratelimit").is_empty()), (201, false));
    // What is used meanwhile does not show in it.
    use_calls(&server, "key-same", 7).await;
    assert_replayed(&post(&server, "/v1/reservations", "same", &ask).await, &first);
    assert_eq!(gemini_calls(&server, "key-same", "key-same").await, ("7".into(), "1".into()));

    let settle =
        format!("/v1/reservations/{}/settle", first.json()["reservation_id"].as_str().unwrap());
    let used = json!({ "usage": { "input_tokens": 10 } });
    let settled = post(&server, &settle, "same", &used).await;
    assert_replayed(&post(&server, &settle, "same", &used).await, &settled);
    let recorded = post(&server, "/v1/usage", "same", &ask).await;
    assert_eq!(recorded.status, 201);
    assert_replayed(&post(&server, "/v1/usage", "same", &ask).await, &recorded);
    assert_eq!(statistics(&server, "key-same").await["total_calls"], 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_recorded_once_and_what_was_rejected_is_tried_again() {
    let server = shared().await;
    let events = json!([
        call("key-list"),
        with(call("key-list"), "modle", "typo"),
        with(call("key-list-2"), "event_id", "e1"),
        with(call("key-list-2"), "event_id", "e1"),
    ]);
    let first = post(&server, "/v1/usage", "list", &events).await;
    let answer = first.json();
    let counts = ["accepted", "duplicates", "rejected"].map(|count| answer[count].to_string());
    assert_eq!(counts, ["2", "1", "1"], "{answer}");
    assert_replayed(&post(&server, "/v1/usage", "list", &events).await, &first);
    for subject in ["key-list", "key-list-2"] {
        assert_eq!(statistics(&server, subject).await["total_calls"], 1);
    }
    post(&server, "/v1/usage", "list", &events[0]).await.problem(422);
    post(&server, "/v1/usage", "list", &json!([events[0]])).await.problem(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_with_another_body_is_refused_whoever_it_is_about() {
    let server = shared().await;
    post(&server, "/v1/reservations", "other", &call("key-other")).await.expect(201);
    for body in [with(call("key-other"), "ttl_seconds", 9), call("key-elsewhere")] {
        let problem = post(&server, "/v1/reservations", "other", &body).await.problem(422);
        assert_eq!(problem["type"], "urn:tollgate:problem:key-reused");
    }
    let none = ("0".to_owned(), "0".to_owned());
    assert_eq!(gemini_calls(&server, "key-elsewhere", "key-elsewhere").await, none);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_does_not_burn_its_key() {
    let server = shared().await;
    use_calls(&server, "key-full", 100).await;
    post(&server, "/v1/reservations", "full", &call("key-full")).await.problem(429);
    server.subscribe("key-full", "pro").await;
    let another = with(call("key-full"), "ttl_seconds", 9);
    post(&server, "/v1/reservations", "full", &another).await.expect(201);

    let unknown = with(call("key-full"), "modle", "typo");
    post(&server, "/v1/usage", "full", &unknown).await.problem(400);
    post(&server, "/v1/usage", "full", &call("key-full")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_its_path_and_is_the_same_quoted_and_bare() {
    let server = shared().await;
    let first = post(&server, "/v1/reservations", "path", &call("key-path")).await;
    assert_replayed(
        &post(&server, "/v1/reservations", "\"path\"", &call("key-path")).await,
        &first,
    );
    let (one, two) =
        (reserve(&server, &call("key-path")).await, reserve(&server, &call("key-path")).await);
    for (hold, tokens) in [(one, 1), (two, 2)] {
        let used = json!({ "usage": { "input_tokens": tokens } });
        post(&server, &format!("{hold}/settle"), "path", &used).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_none_is_refused_by_name() {
    let server = shared().await;
    for key in ["", "\"\"", "two words", &"k".repeat(256)] {
        let problem = post(&server, "/v1/usage", key, &call("key-none")).await.problem(400);
        assert!(problem["detail"].as_str().unwrap().contains("Idempotency-Key"), "{problem}");
    }
    post(&server, "/v1/usage", &"k".repeat(255), &call("key-none")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_requests_at_the_same_time_under_one_key_one_is_done() {
    let server = shared().await;
    let mut requests = JoinSet::new();
    for _ in 0..16 {
        let client = server.client();
        requests.spawn(async move {
            post(&client, "/v1/reservations", "race", &call("key-race")).await
        });
    }
    let mut ids = Vec::new();
    for answer in requests.join_all().await {
        match answer.status.as_u16() {
            201 => ids.push(answer.json()["reservation_id"].clone()),
            _ => assert_eq!(answer.problem(409)["type"], "urn:tollgate:problem:key-under-way"),
        }
    }
    assert!(!ids.is_empty() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(gemini_calls(&server, "key-race", "key-race").await, ("0".into(), "1".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_outlives_the_process_and_ends_after_a_day() {
    let home = Home::new();
    let ask = call("ann");
    let server = Server::start(&home).await;
    let held = post(&server, "/v1/reservations", "k", &ask).await;
    let recorded = post(&server, "/v1/usage", "k", &ask).await;
    server.kill();

    let almost_a_day = "2026-08-11T11:55:00Z";
    for time in [CLOCK_START, almost_a_day] {
        let server = Server::start_at(&home, time).await;
        assert_replayed(&post(&server, "/v1/reservations", "k", &ask).await, &held);
        assert_replayed(&post(&server, "/v1/usage", "k", &ask).await, &recorded);
        post(&server, "/v1/usage", "k", &call("bob")).await.problem(422);
        server.terminate();
        assert!(server.ended().await.success());
    }

    let server = Server::start_at(&home, "2026-08-11T12:05:00Z").await;
    let anew = post(&server, "/v1/reservations", "k", &ask).await.expect(201);
    assert_ne!(anew["reservation_id"], held.json()["reservation_id"]);
    post(&server, "/v1/usage", "k", &call("bob")).await.expect(201);
    assert_eq!(statistics(&server, "ann").await["total_calls"], 1);
}
