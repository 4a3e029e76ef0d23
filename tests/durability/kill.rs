use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::event_body;
use crate::support::{Home, Server};

const ROUNDS: usize = 4;
const WRITERS: usize = 16;

/// What a round of writers left behind, by event id.
struct Written {
    /// Sent, whether or not it was answered.
    sent: Vec<String>,
    acknowledged: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_exactly_once_after_each_kill() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let home = Home::new();
    let mut all = 0;
    for round in 0..ROUNDS {
        let server = Server::start(&home).await;
        let written = write_until_killed(server, round, random.usize(1..400)).await;
        let server = Server::start(&home).await;
        let said = format!("seed {seed}, round {round}");
        for event in &written.acknowledged {
            let found = server.get(&format!("/v1/usage?subject=ann&event_id={event}")).await;
            assert_eq!(found.status, 200, "{event} is lost, {said}");
            let again = server.post("/v1/usage", &event_body(event)).await.expect(200);
            assert_eq!(again["duplicate"], true, "{event} counts twice, {said}");
        }
        // What was not acknowledged may be there or not; sent again, it counts once.
        for event in &written.sent {
            let again = server.post("/v1/usage", &event_body(event)).await;
            assert!(again.status.is_success(), "{}, {said}", again.text);
        }
        all += written.sent.len();
        let bill = server.get("/api/subscription/usage/ann").await.data();
        assert_eq!(bill["total_calls"], all, "{said}");
        assert_eq!(bill["total_tokens"], 15 * all, "{said}");
        server.kill();
    }
}

/// Lets writers record events of one subject until so many are acknowledged, and then kills the
/// service under them.
async fn write_until_killed(server: Server, round: usize, enough: usize) -> Written {
    let (acknowledge, mut acknowledgements) = mpsc::unbounded_channel();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (client, acknowledge) = (server.client(), acknowledge.clone());
        writers.spawn(async move {
            let mut sent = Vec::new();
            loop {
                let event = format!("{round}-{writer}-{}", sent.len());
                sent.push(event.clone());
                match client.try_post("/v1/usage", &event_body(&event)).await {
                    Ok(answer) => answer.expect(201),
                    Err(_) => return sent,
                };
                acknowledge.send(event).unwrap();
            }
        });
    }
    drop(acknowledge);
    let mut acknowledged = Vec::new();
    while let Some(event) = acknowledgements.recv().await {
        acknowledged.push(event);
        if acknowledged.len() == enough {
            break;
        }
    }
    server.kill();
    while let Some(event) = acknowledgements.recv().await {
        acknowledged.push(event);
    }
    Written { sent: writers.join_all().await.concat(), acknowledged }
}
