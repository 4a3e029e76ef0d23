use serde_json::{Value, json};

use super::event_body;
use crate::support::{Home, Server, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_survives_a_kill_and_still_expires() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let mut call = event_body("");
    call.as_object_mut().unwrap().remove("event_id");
    call["ttl_seconds"] = json!(300);
    let lasting = reserve(&server, &call).await;
    call["ttl_seconds"] = json!(2);
    let brief = reserve(&server, &call).await;
    server.kill();

    let server = Server::start(&home).await;
    eventually("the brief hold expires", async || {
        (state(&server, &brief).await == "expired").then_some(())
    })
    .await;
    assert_eq!(state(&server, &lasting).await, "held");
    call.as_object_mut().unwrap().remove("ttl_seconds");
    let check = server.post("/v1/check", &call).await.expect(200);
    assert_eq!(check["quotas"][0]["reserved"], "1", "{check}");

    let usage = json!({ "usage": { "input_tokens": 10, "output_tokens": 5 } });
    for (id, late) in [(&lasting, false), (&brief, true)] {
        let settled = server.post(&format!("/v1/reservations/{id}/settle"), &usage).await;
        assert_eq!(settled.expect(200)["late"], late);
    }
}

async fn reserve(server: &Server, call: &Value) -> String {
    let held = server.post("/v1/reservations", call).await.expect(201);
    held["reservation_id"].as_str().unwrap().to_owned()
}

async fn state(server: &Server, id: &str) -> String {
    let held = server.get(&format!("/v1/reservations/{id}")).await.expect(200);
    held["state"].as_str().unwrap().to_owned()
}
