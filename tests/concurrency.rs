use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Answer, Home, Server};

/// The free plan's Gemini calls in a month.
const LIMIT: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn of_any_number_of_callers_exactly_as_many_get_a_hold_as_fit() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let held = reserve_at_once(&server, 160, LIMIT).await;

    server.kill();
    let server = Server::start(&home).await;
    reserve_at_once(&server, 40, 0).await;

    for id in &held[..30] {
        server.delete(&format!("/v1/reservations/{id}")).await.expect(204);
    }
    server.kill();
    let server = Server::start(&home).await;
    reserve_at_once(&server, 80, 30).await;
}

/// Many callers of one subject ask at the same time; as many as expected get a hold, everybody
/// else is told that the quota is full. Returns the holds.
async fn reserve_at_once(server: &Server, callers: usize, fit: usize) -> Vec<String> {
    let mut asks = JoinSet::new();
    for _ in 0..callers {
        let client = server.client();
        asks.spawn(async move { client.post("/v1/reservations", &call("ann")).await });
    }
    let (held, refused): (Vec<_>, Vec<_>) =
        asks.join_all().await.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(held.len(), fit, "of {callers}");
    for answer in refused {
        assert_eq!(answer.problem(429)["denied"]["quota"], "gemini_calls");
    }
    held.into_iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_of_one_team_share_its_quota_and_never_pass_it() {
    let server = Server::start(&Home::new()).await;
    server.subscribe("team", "free").await;
    let mut callers = JoinSet::new();
    for member in 0..8 {
        let client = server.client();
        callers.spawn(async move {
            let mut held = 0;
            for _ in 0..20 {
                let answer =
                    client.post("/v1/reservations", &call(&format!("team/{member}"))).await;
                held += usize::from(answer.status == 201);
            }
            held
        });
    }
    assert_eq!(callers.join_all().await.into_iter().sum::<usize>(), LIMIT);
    let check = server.post("/v1/check", &call("team/late")).await.expect(200);
    assert_eq!(check["quotas"][0]["reserved"], LIMIT.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_callers_that_settle_one_hold_at_the_same_time_one_event_remains() {
    let server = Server::start(&Home::new()).await;
    let id = id(server.post("/v1/reservations", &call("ann")).await);
    let mut settles = JoinSet::new();
    for _ in 0..16 {
        let (client, path) = (server.client(), format!("/v1/reservations/{id}/settle"));
        let usage = json!({ "usage": { "input_tokens": 10, "output_tokens": 5 } });
        settles.spawn(async move { client.post(&path, &usage).await.expect(200) });
    }
    let mut answers = BTreeMap::<String, usize>::new();
    for answer in settles.join_all().await {
        *answers.entry(answer.to_string()).or_default() += 1;
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let bill = server.get("/api/subscription/usage/ann").await.data();
    assert_eq!(bill["total_calls"], 1);
}

fn call(subject: &str) -> Value {
    json!({
        "subject": subject, "provider": "gemini", "model": "gemini-2.5-flash",
        "usage": { "input_tokens": 1, "output_tokens": 1 },
    })
}

fn id(held: Answer) -> String {
    held.expect(201)["reservation_id"].as_str().unwrap().to_owned()
}
