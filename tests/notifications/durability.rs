use std::process::Command;

use serde_json::json;

use super::receiver::{Receiver, SILENT};
use super::{NOON, notifications, prefer, serve, use_calls, wait_for, webhook};
use crate::support::{Home, tollgate};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_kill_kept_from_arriving_arrives_after_a_start_and_what_arrived_does_not_again() {
    let (home, receiver) = (Home::new(), Receiver::start(200).await);
    let server = serve(&home, NOON, &[]).await;
    prefer(&server, "ann", &webhook(&receiver)).await;
    use_calls(&server, "ann", 80).await;
    receiver.wait_for(1).await;
    wait_for(&server, "state=sent", 1).await;
    receiver.answer(SILENT, &[]);
    use_calls(&server, "ann", 10).await;
    // It is on its way, and nobody has heard what became of it.
    let first = receiver.wait_for(2).await.remove(1);
    server.kill();

    receiver.answer(200, &[]);
    let server = serve(&home, "2026-08-10T12:05:00Z", &[]).await;
    let again = receiver.wait_for(3).await.remove(2);
    assert_eq!((again.id(), &again.body), (first.id(), &first.body));
    wait_for(&server, "state=sent", 2).await;
    // The next to arrive is a new one: nothing else was sent in between.
    use_calls(&server, "ann", 10).await;
    let received = receiver.wait_for(4).await;
    assert_eq!(received[3].alerts()[0]["threshold_percentage"], 100);
    server.terminate();
    assert!(server.ended().await.success());
    verify(&home, "data");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_right_after_the_alert_loses_no_notification() {
    let (home, receiver) = (Home::new(), Receiver::start(200).await);
    let server = serve(&home, NOON, &[]).await;
    prefer(&server, "ann", &webhook(&receiver)).await;
    use_calls(&server, "ann", 100).await;
    server.kill();
    let server = serve(&home, "2026-08-10T12:05:00Z", &[]).await;
    wait_for(&server, "state=sent", 3).await;
    let mut told: Vec<_> =
        receiver.received().iter().map(|received| received.id().to_owned()).collect();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pending_in_a_backup_is_sent_by_the_restored_service() {
    let (home, receiver) = (Home::new(), Receiver::start(503).await);
    let server = serve(&home, NOON, &[]).await;
    prefer(&server, "ann", &webhook(&receiver)).await;
    use_calls(&server, "ann", 80).await;
    receiver.wait_for(1).await;
    let backup = home.path().join("backup");
    run(tollgate().args(["backup", "--url", server.url(), "--output"]).arg(&backup));
    server.kill();
    receiver.answer(200, &[]);

    let data = home.path().join("restored");
    run(tollgate().args(["restore", "--from"]).arg(&backup).arg("--data").arg(&data));
    let before = receiver.received().len();
    let settings = ["--data", data.to_str().unwrap()];
    let server = serve(&home, "2026-08-10T13:00:00Z", &settings).await;
    receiver.wait_for(before + 1).await;
    wait_for(&server, "state=sent", 1).await;
    assert_eq!(notifications(&server, "state=pending").await.len(), 0);
    let alerts = server.get("/api/subscription/alerts/ann").await.data();
    assert_eq!(alerts["alerts"][0]["is_sent"], json!(true));
    server.terminate();
    assert!(server.ended().await.success());
    verify(&home, "restored");
}

fn verify(home: &Home, data: &str) {
    run(tollgate().args(["verify", "--data", data]).current_dir(home.path()));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
