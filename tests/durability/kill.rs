use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;

use super::event_body;
use crate::support::{Client, Home, Server};

const WRITERS: usize = 16;

/// What writers sent, by id, and whether the service acknowledged it.
type Written = Vec<(String, bool)>;

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_event_is_there_exactly_once_after_each_kill() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let home = Home::new();
    let mut all = 0;
    for round in 0..rounds() {
        let said = format!("seed {seed}, round {round}");
        let server = Server::start(&home).await;
        let record = |client, writer, done| record(client, format!("{round}-{writer}"), done);
        let written = write_until_killed(server, random.usize(1..400), record).await;

        let server = Server::start(&home).await;
        for (event, acknowledged) in &written {
            let found = server.get(&format!("/v1/usage?subject=ann&event_id={event}")).await;
            assert!(found.status == 200 || !acknowledged, "{event} is lost, {said}");
            // Sent again, it is either new or known, and counts once in any case.
            let again = server.post("/v1/usage", &event_body(event)).await;
            let expected = if found.status == 200 { 200 } else { 201 };
            assert_eq!(again.status, expected, "{event}: {}, {said}", again.text);
        }
        all += written.len();
        let bill = server.get("/api/subscription/usage/ann").await.data();
        assert_eq!(bill["total_calls"], all, "{said}");
        assert_eq!(bill["total_tokens"], 15 * all, "{said}");
        server.kill();
    }
}

/// Records events until the service is gone.
async fn record(client: Client, prefix: String, done: UnboundedSender<()>) -> Written {
    let mut written = Written::new();
    loop {
        let event = format!("{prefix}-{}", written.len());
        let answer = client.try_post("/v1/usage", &event_body(&event)).await;
        written.push((event, answer.is_ok()));
        let Ok(answer) = answer else { return written };
        answer.expect(201);
        // Nobody counts them any more once the service is to be killed.
        let _ = done.send(());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_there_after_a_kill_exactly_when_what_was_done_under_it_is() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let home = Home::new();
    let mut all = 0;
    for round in 0..rounds() {
        let said = format!("seed {seed}, round {round}");
        let server = Server::start(&home).await;
        let record = |client, writer, done| record_once(client, format!("{round}-{writer}"), done);
        let written = write_until_killed(server, random.usize(1..400), record).await;

        let server = Server::start(&home).await;
        for (key, acknowledged) in &written {
            let again = server.try_post_once("/v1/usage", key, &nameless()).await.unwrap();
            let replayed = again.headers.contains_key("idempotency-replayed");
            assert!(replayed || !acknowledged, "{key} is lost, {said}");
            again.expect(201);
        }
        all += written.len();
        let bill = server.get("/api/subscription/usage/ann").await.data();
        assert_eq!(bill["total_calls"], all, "{said}");
        server.kill();
    }
}

/// Records nameless events, each under a key of its own, until the service is gone.
async fn record_once(client: Client, prefix: String, done: UnboundedSender<()>) -> Written {
    let mut written = Written::new();
    loop {
        let key = format!("{prefix}-{}", written.len());
        let answer = client.try_post_once("/v1/usage", &key, &nameless()).await;
        written.push((key, answer.is_ok()));
        let Ok(answer) = answer else { return written };
        answer.expect(201);
        let _ = done.send(());
    }
}

fn nameless() -> Value {
    let mut event = event_body("");
    event.as_object_mut().unwrap().remove("event_id");
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_hold_settles_exactly_once_after_each_kill() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let home = Home::new();
    let mut all = 0;
    for round in 0..rounds() {
        let said = format!("seed {seed}, round {round}");
        let server = Server::start(&home).await;
        server.subscribe("ann", "enterprise").await;
        let hold_and_settle = |client, _, done| hold_and_settle(client, done);
        let written = write_until_killed(server, random.usize(1..200), hold_and_settle).await;

        let server = Server::start(&home).await;
        for (hold, acknowledged) in &written {
            let state = server.get(hold).await.expect(200)["state"].take();
            assert!(state == "settled" || (state == "held" && !acknowledged), "{state}, {said}");
            server.post(&format!("{hold}/settle"), &used()).await.expect(200);
        }
        all += written.len();
        let bill = server.get("/api/subscription/usage/ann").await.data();
        assert_eq!(bill["total_calls"], all, "{said}");
        assert_eq!(bill["total_tokens"], 15 * all, "{said}");
        server.kill();
    }
}

/// Takes holds and settles them until the service is gone.
async fn hold_and_settle(client: Client, done: UnboundedSender<()>) -> Written {
    let call = nameless();
    let mut written = Written::new();
    loop {
        let Ok(held) = client.try_post("/v1/reservations", &call).await else { return written };
        let held = held.expect(201);
        let hold = format!("/v1/reservations/{}", held["reservation_id"].as_str().unwrap());
        let settled = client.try_post(&format!("{hold}/settle"), &used()).await;
        written.push((hold, settled.is_ok()));
        let Ok(settled) = settled else { return written };
        settled.expect(200);
        let _ = done.send(());
    }
}

fn used() -> Value {
    json!({ "usage": { "input_tokens": 10, "output_tokens": 5 } })
}

/// How often a test kills the service: a few times, unless somebody has the time for more.
fn rounds() -> usize {
    std::env::var("TOLLGATE_SOAK_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap())
}

/// Lets writers work until the service has acknowledged so much, and then kills it under them.
async fn write_until_killed<W>(
    server: Server,
    enough: usize,
    write: impl Fn(Client, usize, UnboundedSender<()>) -> W,
) -> Written
where
    W: Future<Output = Written> + Send + 'static,
{
    let (done, mut acknowledged) = mpsc::unbounded_channel();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(server.client(), writer, done.clone()));
    }
    drop(done);
    for _ in 0..enough {
        acknowledged.recv().await;
    }
    server.kill();
    writers.join_all().await.concat()
}
