use serde_json::{Value, json};

use crate::support::{Home, Server};

const AUGUST: &str = "2026-08-31T23:00:00Z";
const SEPTEMBER: &str = "2026-09-01T01:00:00Z";

fn call() -> Value {
    json!({
        "subject": "ann", "provider": "gemini", "model": "gemini-2.5-flash",
        "usage": { "input_tokens": 10, "output_tokens": 5 },
    })
}

/// Takes a hold for a day.
async fn reserve(server: &Server) -> String {
    let mut call = call();
    call["ttl_seconds"] = json!(86_400);
    let held = server.post("/v1/reservations", &call).await.expect(201);
    format!("/v1/reservations/{}", held["reservation_id"].as_str().unwrap())
}

async fn total_calls(server: &Server, period: &str) -> Value {
    let path = format!("/api/subscription/usage/ann?billing_period={period}");
    server.get(&path).await.data()["total_calls"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_month_begins_with_full_quotas_and_the_old_one_stays_as_it_was() {
    let home = Home::new();
    let server = Server::start_at(&home, AUGUST).await;
    let mut used = call();
    used["usage"] = json!({ "calls": 100 });
    server.post("/v1/usage", &used).await.expect(201);
    server.post("/v1/reservations", &call()).await.problem(429);
    server.kill();

    let server = Server::start_at(&home, SEPTEMBER).await;
    reserve(&server).await;
    assert_eq!(total_calls(&server, "2026-08").await, 100);
    assert_eq!(total_calls(&server, "2026-09").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_belongs_to_the_month_in_which_its_hold_was_taken() {
    let home = Home::new();
    let server = Server::start_at(&home, AUGUST).await;
    let hold = reserve(&server).await;
    server.kill();

    let server = Server::start_at(&home, SEPTEMBER).await;
    let used = json!({ "usage": { "input_tokens": 10, "output_tokens": 5 } });
    let settled = server.post(&format!("{hold}/settle"), &used).await.expect(200);
    assert_eq!(settled["late"], false);
    assert_eq!(total_calls(&server, "2026-08").await, 1);
    assert_eq!(total_calls(&server, "2026-09").await, 0);
    let check = server.post("/v1/check", &call()).await.expect(200);
    assert_eq!(
        (&check["quotas"][0]["used"], &check["quotas"][0]["reserved"]),
        (&json!("0"), &json!("0"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_hold_settles_for_a_week_and_is_then_forgotten() {
    let home = Home::new();
    let server = Server::start_at(&home, "2026-08-10T12:00:00Z").await;
    let holds = [reserve(&server).await, reserve(&server).await];
    server.kill();

    // Both expired on the 11th.
    let used = json!({ "usage": { "input_tokens": 10, "output_tokens": 5 } });
    let server = Server::start_at(&home, "2026-08-18T11:50:00Z").await;
    let settled = server.post(&format!("{}/settle", holds[0]), &used).await.expect(200);
    assert_eq!(settled["late"], true);
    server.kill();

    let server = Server::start_at(&home, "2026-08-18T12:10:00Z").await;
    server.get(&holds[1]).await.problem(404);
    server.post(&format!("{}/settle", holds[1]), &used).await.problem(404);
    assert_eq!(total_calls(&server, "2026-08").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_gives_nobody_his_quota_back() {
    let home = Home::new();
    let server = Server::start_at(&home, SEPTEMBER).await;
    reserve(&server).await;
    server.kill();

    let server = Server::start_at(&home, AUGUST).await;
    let check = server.post("/v1/check", &call()).await.expect(200);
    assert_eq!(check["quotas"][0]["reserved"], "1");
    assert_eq!(check["quotas"][0]["resets_at"], "2026-10-01T00:00:00Z");
}
