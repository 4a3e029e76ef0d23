use std::process::Output;

use serde_json::json;
use tokio::task::{JoinSet, spawn_blocking};

use crate::support::{Client, Home, Server, tollgate};

const WRITERS: usize = 8;

/// Verifies the data in a home, as an operator would.
async fn verify(home: &Home) -> (bool, String, String) {
    let mut command = tollgate();
    command.arg("verify").current_dir(home.path());
    let Output { status, stdout, stderr } =
        spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.success(), text(stdout), text(stderr))
}

/// Holds, settles and records until the service is gone; counts the events it acknowledged.
async fn use_it(client: Client, writer: usize) -> usize {
    let mut acknowledged = 0;
    loop {
        let mut call = json!({
            "subject": format!("acme/{writer}"), "provider": "gemini", "model": "gemini-2.5-flash",
            "usage": { "input_tokens": 10, "output_tokens": 5 },
        });
        let Ok(held) = client.try_post("/v1/reservations", &call).await else { break };
        let id = held.expect(201)["reservation_id"].as_str().unwrap().to_owned();
        if acknowledged % 3 == 0 {
            let used = json!({ "usage": call["usage"] });
            let settle = format!("/v1/reservations/{id}/settle");
            let Ok(settled) = client.try_post(&settle, &used).await else { break };
            settled.expect(200);
            acknowledged += 1;
        }
        call["event_id"] = json!(format!("e{acknowledged}"));
        let Ok(recorded) = client.try_post("/v1/usage", &call).await else { break };
        recorded.expect(201);
        acknowledged += 1;
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn data_add_up_after_each_kill() {
    let home = Home::new();
    let mut acknowledged = 0;
    for round in 0..3 {
        let server = Server::start(&home).await;
        server.subscribe("acme", "enterprise").await;
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            writers.spawn(use_it(server.client(), round * WRITERS + writer));
        }
        // Long enough for some of it to be condensed, in the second and third round.
        tokio::time::sleep(std::time::Duration::from_millis(700 * round as u64 + 300)).await;
        server.kill();
        acknowledged += writers.join_all().await.iter().sum::<usize>();

        let (sound, printed, complaint) = verify(&home).await;
        assert!(sound, "{printed}{complaint}");
        let events: usize = printed.split(' ').next().unwrap().parse().unwrap();
        assert!(events >= acknowledged, "{acknowledged} acknowledged: {printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_a_running_service_are_left_alone() {
    let server = Server::start(&Home::new()).await;
    let (sound, _, complaint) = verify(&server.home).await;
    assert!(!sound && complaint.contains("another process is using it"), "{complaint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_are_no_data_none_are_made() {
    let home = Home::without_policies();
    let (sound, _, complaint) = verify(&home).await;
    assert!(!sound && complaint.contains("there is no data in ./data"), "{complaint}");
    assert!(!home.path().join("data").exists());
}
