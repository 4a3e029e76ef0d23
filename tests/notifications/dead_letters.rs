use serde_json::json;

use super::receiver::{Receiver, SILENT};
use super::{NOON, notifications, prefer, serve, use_calls, wait_for, webhook};
use crate::support::{Home, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_away_is_told_later_under_the_same_id() {
    let (home, receiver) = (Home::new(), Receiver::start(503).await);
    let server = serve(&home, NOON, &[]).await;
    prefer(&server, "ann", &webhook(&receiver)).await;
    use_calls(&server, "ann", 80).await;
    let first = receiver.wait_for(1).await.remove(0);
    // Away altogether, and back.
    let address = receiver.address();
    drop(receiver);
    let [pending] = &eventually("it is tried again in vain", async || {
        let pending = notifications(&server, "state=pending").await;
        let error = pending[0]["error"].as_str().unwrap_or_default().to_owned();
        error.to_lowercase().contains("refused").then_some(pending)
    })
    .await[..] else {
        panic!("one")
    };
    assert!(pending["attempts"].as_u64() >= Some(2), "{pending}");
    assert!(pending["due_at"].as_str().is_some());
    let receiver = Receiver::at(address, 200).await;
    let again = receiver.wait_for(1).await.remove(0);
    assert_eq!((again.id(), &again.body), (first.id(), &first.body));
    assert!(again.timestamp() >= first.timestamp());
    let sent = wait_for(&server, "state=sent", 1).await;
    assert_eq!(sent[0]["error"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_tried_often_enough_is_dead_and_can_be_sent_again() {
    let (home, receiver) = (Home::new(), Receiver::start(400).await);
    let server = serve(&home, NOON, &["--notify-attempts", "3"]).await;
    prefer(&server, "ann", &webhook(&receiver)).await;
    use_calls(&server, "ann", 90).await;
    let dead = wait_for(&server, "state=dead", 2).await;
    assert_eq!(receiver.received().len(), 6);
    assert!(dead.iter().all(|dead| dead["attempts"] == 3), "{dead:?}");
    assert_eq!(dead[0]["error"], "the answer was 400 Bad Request: as it is");
    let page = server.get("/v1/notifications?state=dead&limit=1").await.expect(200);
    assert_eq!((&page["notifications"][0], &page["has_more"]), (&dead[0], &json!(true)));
    let last = dead[0]["id"].as_str().unwrap();
    let rest = notifications(&server, &format!("state=dead&before={last}")).await;
    assert_eq!(rest, dead[1..]);
    let metrics = server.get("/metrics").await.text;
    for line in [
        "tollgate_notifications_total{channel=\"webhook\",outcome=\"dead\"} 2",
        "tollgate_notifications_total{channel=\"webhook\",outcome=\"failed\"} 4",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }

    receiver.answer(200, &[]);
    let retry = format!("/v1/notifications/{last}/retry");
    let again = server.post(&retry, &json!({})).await.expect(200);
    assert_eq!((&again["state"], &again["attempts"]), (&json!("pending"), &json!(0)));
    let received = receiver.wait_for(7).await;
    assert_eq!(
        received[6].id(),
        received.iter().rfind(|r| r.status == 400 && r.body == received[6].body).unwrap().id()
    );
    wait_for(&server, "state=sent", 1).await;
    server.post(&retry, &json!({})).await.problem(409);
    server.post("/v1/notifications/nt-1-0/retry", &json!({})).await.problem(404);
    server.post("/v1/notifications/what/retry", &json!({})).await.problem(404);
    for query in ["state=lost", "before=x", "limit=0", "limit=1001", "stat=dead", "subject="] {
        server.get(&format!("/v1/notifications?{query}")).await.problem(400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_or_no_longer_wanted_is_not_asked_again() {
    let (home, receiver) = (Home::new(), Receiver::start(410).await);
    let server = serve(&home, NOON, &[]).await;
    prefer(&server, "ann", &webhook(&receiver)).await;
    use_calls(&server, "ann", 80).await;
    let dead = wait_for(&server, "state=dead", 1).await;
    assert_eq!(dead[0]["attempts"], 1);

    receiver.answer(503, &[("retry-after", "2")]);
    use_calls(&server, "ann", 10).await;
    receiver.wait_for(2).await;
    prefer(&server, "ann", &json!({})).await;
    let dead = wait_for(&server, "state=dead", 2).await;
    assert_eq!(dead[0]["error"], "the address was taken out of the preferences");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_never_answers_keeps_nobody_else_waiting() {
    let home = Home::new();
    let [silent, receiver] = [Receiver::start(SILENT).await, Receiver::start(200).await];
    let server = serve(&home, NOON, &["--notify-timeout-seconds", "2"]).await;
    prefer(&server, "ann", &webhook(&silent)).await;
    prefer(&server, "bob", &webhook(&receiver)).await;
    use_calls(&server, "ann", 100).await;
    silent.wait_for(1).await;
    use_calls(&server, "bob", 100).await;
    receiver.wait_for(3).await;
    // One attempt told that the place is down: that is known of what else goes there.
    let pending = eventually("all have failed", async || {
        let pending = notifications(&server, "state=pending&subject=ann").await;
        let all = pending.iter().all(|pending| pending["attempts"].as_u64() > Some(0));
        (pending.len() == 3 && all).then_some(pending)
    })
    .await;
    assert!(pending.iter().all(|pending| pending["error"] == "no answer within 2 s"));
}
