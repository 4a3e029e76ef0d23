use std::process::Command;

use serde_json::{Value, json};

use super::event_body;
use crate::support::{CLOCK_START, Home, Server};

/// How large a file of the service may become: enough for some hundred events.
const FILE_KIB_MAX: u32 = 1_024;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_service_with_a_clear_word_and_loses_nothing_acknowledged() {
    let home = Home::new();
    let server = Server::spawn(&home, with_little_room(&Server::command(&home, CLOCK_START)));
    let (mut sent, mut acknowledged) = (0, 0);
    loop {
        let events: Vec<_> = (sent..sent + 100).map(|n| event_body(&format!("e{n}"))).collect();
        sent += events.len();
        let Ok(answer) = server.try_post("/v1/usage", &json!(events)).await else { break };
        let answer = answer.expect(200);
        acknowledged += answer["accepted"].as_u64().unwrap();
        let problems = answer["problems"].as_array().unwrap();
        if !problems.is_empty() {
            assert!(problems.iter().all(|problem| problem["problem"]["status"] == 503), "{answer}");
            break;
        }
    }
    let log = server.log_at_end(1).await;
    assert!(log.contains("tollgate: the ledger failed: IO error"), "{log}");
    assert!(!log.contains("panicked"), "{log}");

    let server = Server::start(&home).await;
    let kept = calls(&server).await;
    assert!((acknowledged..=sent as u64).contains(&kept), "{acknowledged} of {sent}, kept {kept}");
    let again: Vec<_> = (0..sent).map(|n| event_body(&format!("e{n}"))).collect();
    for events in again.chunks(1_000) {
        server.post("/v1/usage", &json!(events)).await.expect(200);
    }
    assert_eq!(calls(&server).await, sent as u64);
}

async fn calls(server: &Server) -> u64 {
    let bill: Value = server.get("/api/subscription/usage/ann").await.data();
    bill["total_calls"].as_u64().unwrap()
}

/// A limit on the size of files looks to a program as a full disk does, once it ignores the
/// signal that goes with it.
fn with_little_room(service: &Command) -> Command {
    with_room(service, FILE_KIB_MAX)
}

/// The same, with room for so much.
pub fn with_room(service: &Command, file_kib_max: u32) -> Command {
    let mut command = Command::new("sh");
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", file_kib_max * 2);
    command.args(["-c", &script]).arg(service.get_program()).args(service.get_args());
    command.current_dir(service.get_current_dir().unwrap());
    for (name, value) in service.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}
