use serde_json::{Value, json};

use super::{call, statistics, with};
use crate::support::{Client, shared};

const CORRECTIONS: &str = "/v1/usage/corrections";

fn correction(subject: &str, id: &str, member: &str, value: Value) -> Value {
    json!({
        "subject": subject, "event_id": "e1", "correction_id": id, member: value,
        "reason": "counted twice",
    })
}

async fn record(client: &Client, subject: &str) {
    client.post("/v1/usage", &with(call(subject), "event_id", "e1")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_changes_what_its_event_counts_and_costs() {
    let server = shared().await;
    let subject = "corrections-both";
    record(&server, subject).await;
    let fewer = json!({ "input_tokens": -600, "output_tokens": 100 });
    let answer = server
        .post(CORRECTIONS, &correction(subject, "c1", "usage_delta", fewer.clone()))
        .await
        .expect(201);
    assert_eq!(answer["corrects"], "e1");
    assert_eq!(answer["usage_delta"], fewer);
    assert_eq!(answer["usage"], json!({ "calls": 1, "input_tokens": 400, "output_tokens": 600 }));
    // 0.125 USD for a million tokens in, 0.375 for a million out.
    assert_eq!(
        (&answer["cost"], &answer["cost_delta"]),
        (&json!("0.000275"), &json!("-0.0000375"))
    );
    let data = statistics(&server, subject).await;
    assert_eq!((&data["total_calls"], &data["total_tokens"]), (&json!(1), &json!(1000)));
    assert_eq!(data["total_cost"].to_string(), "0.000275");

    let whole = correction(subject, "c2", "replacement", json!({ "input_tokens": 10 }));
    let answer = server.post(CORRECTIONS, &whole).await.expect(201);
    assert_eq!(answer["usage_delta"], json!({ "input_tokens": -390, "output_tokens": -600 }));
    let data = statistics(&server, subject).await;
    assert_eq!(
        (&data["total_tokens"], data["total_cost"].to_string()),
        (&json!(10), "0.00000125".into())
    );

    let path = format!("/v1/usage?subject={subject}&event_id=e1");
    let found = server.get(&path).await.expect(200);
    assert_eq!(found["usage"]["input_tokens"], 1000, "an event stays as it was recorded");
    let corrections = found["corrections"].as_array().unwrap().iter();
    let ids: Vec<_> = corrections.map(|one| one["correction_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["c1", "c2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_never_fall_below_nothing() {
    let server = shared().await;
    let subject = "corrections-floor";
    record(&server, subject).await;
    let all = json!({ "input_tokens": -5000, "output_tokens": -5000, "calls": -7 });
    let answer =
        server.post(CORRECTIONS, &correction(subject, "c1", "usage_delta", all)).await.expect(201);
    let taken = json!({ "calls": -1, "input_tokens": -1000, "output_tokens": -500 });
    assert_eq!(answer["usage_delta"], taken);
    let data = statistics(&server, subject).await;
    assert_eq!((&data["total_calls"], &data["total_tokens"]), (&json!(0), &json!(0)));
    assert_eq!(data["total_cost"].to_string(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_is_made_once_however_often_it_is_sent() {
    let server = shared().await;
    let subject = "corrections-once";
    record(&server, subject).await;
    let fewer = correction(subject, "c1", "usage_delta", json!({ "input_tokens": -100 }));
    let first = server.post(CORRECTIONS, &fewer).await.expect(201);
    let again = server.post(CORRECTIONS, &fewer).await.expect(200);
    assert_eq!((&again["duplicate"], &again["event_id"]), (&json!(true), &first["event_id"]));
    let other = correction(subject, "c1", "usage_delta", json!({ "input_tokens": -101 }));
    server.post(CORRECTIONS, &other).await.problem(409);

    let keyed = correction(subject, "c2", "usage_delta", json!({ "input_tokens": -100 }));
    let send = || server.try_post_once(CORRECTIONS, "corrections-key", &keyed);
    let first = send().await.unwrap();
    let again = send().await.unwrap();
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!((first.status.as_u16(), &first.text), (201, &again.text));
    assert_eq!(statistics(&server, subject).await["total_tokens"], 1300);
}

#[tokio::test(flavor = "multi_thread")]
async fn corrections_made_at_the_same_time_all_count() {
    let server = shared().await;
    let subject = "corrections-race";
    record(&server, subject).await;
    let tasks: Vec<_> = (0..20)
        .map(|i| {
            let (client, delta) = (server.client(), json!({ "input_tokens": -10 }));
            let body = correction(subject, &format!("c{i}"), "usage_delta", delta);
            tokio::spawn(async move { client.post(CORRECTIONS, &body).await.expect(201) })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(statistics(&server, subject).await["total_tokens"], 1300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cost_that_was_given_stays_until_another_is() {
    let server = shared().await;
    let subject = "corrections-given";
    let event = with(with(call(subject), "event_id", "e1"), "cost", "2.50");
    server.post("/v1/usage", &event).await.expect(201);
    let fewer = correction(subject, "c1", "usage_delta", json!({ "input_tokens": -100 }));
    let answer = server.post(CORRECTIONS, &fewer).await.expect(201);
    assert_eq!((&answer["cost"], &answer["cost_delta"]), (&json!("2.5"), &json!("0")));
    let cheaper = correction(subject, "c2", "usage_delta", json!({}));
    let answer = server.post(CORRECTIONS, &with(cheaper, "cost", "1.25")).await.expect(201);
    assert_eq!((&answer["cost"], &answer["cost_delta"]), (&json!("1.25"), &json!("-1.25")));
    assert_eq!(statistics(&server, subject).await["total_cost"].to_string(), "1.25");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_corrected_is_refused_with_the_reason() {
    let server = shared().await;
    let subject = "corrections-wrong";
    record(&server, subject).await;
    let fewer = || correction(subject, "c1", "usage_delta", json!({ "input_tokens": -100 }));
    server.post(CORRECTIONS, &with(fewer(), "event_id", "e9")).await.problem(404);
    server.post(CORRECTIONS, &with(fewer(), "subject", "nobody")).await.problem(404);
    let both = with(fewer(), "replacement", json!({ "calls": 1 }));
    for (body, pointer) in [
        (both, "/replacement"),
        (json!({ "subject": subject, "event_id": "e1", "correction_id": "c1" }), "/usage_delta"),
        (with(fewer(), "usage_delta", json!({ "input_tokens": 1.5 })), "/usage_delta/input_tokens"),
        (
            correction(subject, "c1", "replacement", json!({ "cache_read_tokens": 5 })),
            "/usage/cache_read_tokens",
        ),
    ] {
        let problem = server.post(CORRECTIONS, &body).await.problem(400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
    assert_eq!(statistics(&server, subject).await["total_tokens"], 1500);
}
