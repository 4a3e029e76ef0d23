use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::event_body;
use super::full::with_room;
use crate::support::{CLOCK_START, Home, Server, tollgate};

/// The one line that the service ends with at once, and nothing of a panic.
async fn complaint(home: &Home, data: &str) -> String {
    let mut command = Server::command(home, CLOCK_START);
    command.args(["--data", data]);
    refused(command).await
}

async fn refused(command: Command) -> String {
    // What does start after all must not keep the test waiting for ever.
    let mut bounded = Command::new("timeout");
    bounded.arg("20").arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        bounded.current_dir(folder);
    }
    let output = spawn_blocking(move || bounded.output().unwrap()).await.unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(!log.contains("panicked") && !log.contains("backtrace"), "{log}");
    let said: Vec<_> = log.lines().filter(|line| line.starts_with("tollgate: ")).collect();
    assert_eq!(said.len(), 1, "{log}");
    said[0].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_where_no_data_can_be_is_named() {
    let home = Home::new();
    fs::write(home.path().join("file"), "").unwrap();
    for data in ["file", "file/data", "/proc/data", "/dev/null"] {
        let said = complaint(&home, data).await;
        assert!(said.contains(data), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_read_only_is_named() {
    let home = Home::new();
    let folder = home.path().join("data");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o555)).unwrap();
    if fs::write(folder.join("probe"), "").is_ok() {
        fs::remove_file(folder.join("probe")).unwrap();
        if !Command::new("chattr").arg("+i").arg(&folder).status().is_ok_and(|done| done.success())
        {
            eprintln!("skipped: permissions do not bind whoever runs this test");
            return;
        }
    }
    let said = complaint(&home, "data").await;
    let _ = Command::new("chattr").arg("-i").arg(&folder).status();
    assert!(said.contains("data"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_not_there_is_made_with_all_above_it() {
    let home = Home::new();
    let mut command = Server::command(&home, CLOCK_START);
    command.args(["--data", "some/where/else"]);
    let server = Server::spawn(&home, command);
    server.post("/v1/usage", &event_body("e")).await;
    assert!(home.path().join("some/where/else/db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_room_at_the_start_is_told() {
    let home = Home::new();
    let said = refused(with_room(&Server::command(&home, CLOCK_START), 0)).await;
    assert!(said.contains("data"), "{said}");
    // Nothing that is left of it is in the way.
    Server::start(&home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_programs_file_is_left_as_it_is() {
    for content in ["SQLite format 3\0".repeat(100_000), "x".into(), "# Settings\n".repeat(3)] {
        let home = Home::new();
        fs::create_dir(home.path().join("data")).unwrap();
        let file = home.path().join("data/db");
        fs::write(&file, &content).unwrap();
        let said = complaint(&home, "data").await;
        assert!(said.contains("data/db"), "{said}");
        assert_eq!(fs::read_to_string(&file).unwrap(), content);
    }
}

/// A home with an event, closed.
async fn used() -> Arc<Home> {
    used_by("ann").await
}

async fn used_by(subject: &str) -> Arc<Home> {
    let home = Home::new();
    let server = Server::start(&home).await;
    let mut event = event_body("e");
    event["subject"] = subject.into();
    server.post("/v1/usage", &event).await.expect(201);
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0));
    home
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_another_version_are_left_alone() {
    let home = used().await;
    let seal = home.path().join("data/seal");
    let text = fs::read_to_string(&seal).unwrap();
    fs::write(&seal, text.replace("tollgate 2\n", "tollgate 3\n")).unwrap();
    let said = complaint(&home, "data").await;
    assert!(said.contains("data/seal") && said.contains("another version"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_that_has_changed_is_told_by_all_that_read_the_data() {
    const SUBJECT: &str = "a-subject-like-no-other";
    let home = used_by(SUBJECT).await;
    assert!(change(&home.path().join("data/db"), SUBJECT.as_bytes()) > 0);
    for command in ["serve", "verify", "export"] {
        let mut run = tollgate();
        run.arg(command).current_dir(home.path());
        let said = refused(run).await;
        assert!(said.contains("./data") && said.contains("damaged"), "{command}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_that_has_changed_in_what_policies_are_made_of_is_told_as_well() {
    let home = used().await;
    let plugin = fs::read(home.policy("standard-tiers.wasm")).unwrap();
    // Somewhere in its first piece, which no boundary cuts.
    assert!(change(&home.path().join("data/db"), &plugin[1000..1064]) > 0);
    for command in ["serve", "verify"] {
        let mut run = tollgate();
        run.arg(command).current_dir(home.path());
        let said = refused(run).await;
        // What lies at the end is seen from outside, and the rest where it is read.
        let told = said.contains("damaged") || said.contains("1 differences");
        assert!(told, "{command}: {said}");
    }
}

/// Changes one bit wherever these bytes stand in a file, and tells how often they do.
fn change(file: &Path, what: &[u8]) -> usize {
    let mut bytes = fs::read(file).unwrap();
    let found = bytes.windows(what.len()).enumerate().filter(|(_, window)| *window == what);
    let found: Vec<_> = found.map(|(at, _)| at).collect();
    found.iter().for_each(|at| bytes[*at] ^= 1);
    fs::write(file, bytes).unwrap();
    found.len()
}
