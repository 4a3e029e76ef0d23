use serde_json::{Value, json};

use super::receiver::Receiver;
use super::{SECRET, notifications, prefer, serve, thresholds, use_calls, wait_for};
use crate::support::Home;

fn with(receiver: &Receiver, member: &str, value: Value) -> Value {
    let mut body = json!({ "webhooks": [{ "url": receiver.url(), "secret": SECRET }] });
    body[member] = value;
    body
}

/// In seconds since 1970.
fn seconds(time: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_quiet_hours_errors_alone_are_told_and_the_rest_afterwards() {
    let (home, receiver) = (Home::new(), Receiver::start(200).await);
    // Seven in the morning of Berlin, almost.
    let server = serve(&home, "2026-08-10T04:58:00Z", &[]).await;
    let quiet = json!({ "from": "22:00", "to": "07:00", "timezone": "Europe/Berlin", "except_errors": true });
    prefer(&server, "ann", &with(&receiver, "quiet_hours", quiet)).await;
    use_calls(&server, "ann", 100).await;
    let first = receiver.wait_for(1).await.remove(0).alerts();
    assert_eq!((thresholds(&first), &first[0]["severity"]), (vec![100], &json!("error")));
    let pending = wait_for(&server, "state=pending", 2).await;
    assert!(
        pending.iter().all(|pending| pending["due_at"] == "2026-08-10T05:00:00Z"),
        "{pending:?}"
    );
    // What was not told by then waits, whoever starts the service when.
    server.kill();
    let server = serve(&home, "2026-08-10T04:59:57Z", &[]).await;
    let received = receiver.wait_for(3).await;
    let [_, rest @ ..] = &received[..] else { panic!("three") };
    let alerts: Vec<_> = rest.iter().flat_map(|received| received.alerts()).collect();
    assert_eq!(thresholds(&alerts), [80, 90]);
    for received in rest {
        assert!(received.timestamp() >= seconds("2026-08-10T05:00:00Z"), "{received:?}");
    }
    wait_for(&server, "state=sent", 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_due_while_the_service_is_away_keeps_to_quiet_hours() {
    let (home, receiver) = (Home::new(), Receiver::start(503).await);
    let server = serve(&home, "2026-08-10T12:00:00Z", &[]).await;
    let quiet = json!({ "from": "22:00", "to": "07:00" });
    prefer(&server, "ann", &with(&receiver, "quiet_hours", quiet)).await;
    use_calls(&server, "ann", 80).await;
    receiver.wait_for(1).await;
    server.kill();
    receiver.answer(200, &[]);
    let server = serve(&home, "2026-08-10T23:00:00Z", &[]).await;
    let tried = receiver.received().len();
    let pending = crate::support::eventually("it is put off", async || {
        let pending = notifications(&server, "state=pending").await.remove(0);
        (pending["due_at"] == "2026-08-11T07:00:00Z").then_some(pending)
    })
    .await;
    assert!(pending["attempts"].as_u64() <= Some(tried as u64));
    assert_eq!(receiver.received().len(), tried, "nobody was told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_tells_the_alerts_of_an_hour_as_one() {
    let (home, receiver) = (Home::new(), Receiver::start(200).await);
    let server = serve(&home, "2026-08-10T12:59:00Z", &[]).await;
    prefer(&server, "acme", &with(&receiver, "digest", json!({ "every": "hour" }))).await;
    for subject in ["acme/ann", "acme/bob"] {
        server.subscribe(&subject.replace('/', "%2F"), "free").await;
        use_calls(&server, subject, 90).await;
    }
    let pending = notifications(&server, "state=pending").await;
    assert_eq!(pending.len(), 4);
    assert!(
        pending.iter().all(|pending| pending["due_at"] == "2026-08-10T13:00:00Z"),
        "{pending:?}"
    );
    server.kill();
    // At first the receiver does not take it: it is the same digest afterwards.
    receiver.answer(503, &[]);
    let server = serve(&home, "2026-08-10T12:59:58Z", &[]).await;
    let first = receiver.wait_for(1).await.remove(0);
    receiver.answer(200, &[]);
    wait_for(&server, "state=sent", 4).await;
    let received = receiver.received();
    assert!(
        received.iter().all(|received| received.id() == first.id() && received.body == first.body)
    );
    assert!(first.is_signed_with(SECRET));
    assert!(first.timestamp() >= seconds("2026-08-10T13:00:00Z"));
    assert_eq!(first.json()["type"], "alert.digest");
    let alerts = first.alerts();
    assert_eq!(thresholds(&alerts), [80, 90, 80, 90]);
    let subjects: Vec<_> = alerts.iter().map(|alert| alert["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["acme/ann", "acme/ann", "acme/bob", "acme/bob"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daily_digest_is_due_at_its_local_time_and_errors_may_go_at_once() {
    let (home, receiver) = (Home::new(), Receiver::start(200).await);
    let server = serve(&home, "2026-08-10T12:00:00Z", &[]).await;
    let daily = json!({ "every": "day", "at": "08:00", "timezone": "America/New_York", "except_errors": true });
    prefer(&server, "ann", &with(&receiver, "digest", daily)).await;
    use_calls(&server, "ann", 100).await;
    assert_eq!(thresholds(&receiver.wait_for(1).await[0].alerts()), [100]);
    let pending = wait_for(&server, "state=pending", 2).await;
    let due: Vec<_> = pending.iter().map(|pending| pending["due_at"].as_str().unwrap()).collect();
    assert_eq!(due, ["2026-08-11T12:00:00Z"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn severities_that_nobody_asked_for_are_not_told() {
    let (home, receiver) = (Home::new(), Receiver::start(200).await);
    let server = serve(&home, "2026-08-10T12:00:00Z", &[]).await;
    prefer(&server, "ann", &with(&receiver, "severities", json!(["error"]))).await;
    use_calls(&server, "ann", 100).await;
    assert_eq!(thresholds(&receiver.wait_for(1).await[0].alerts()), [100]);
    assert_eq!(notifications(&server, "subject=ann").await.len(), 1);
}
