use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use tokio::task::{JoinSet, spawn_blocking};

use crate::support::{Client, Home, Server, eventually, shared, signal, tollgate};

const WRITERS: usize = 8;

fn event(subject: &str, id: &str) -> Value {
    json!({
        "event_id": id, "subject": subject, "provider": "gemini", "model": "gemini-2.5-flash",
        "usage": { "input_tokens": 1000, "output_tokens": 500 },
        "occurred_at": "2026-08-10T11:00:00Z",
    })
}

/// Runs a command in a home: whether it succeeded, and what it printed and complained.
async fn run(home: &Home, arguments: &[&str]) -> (bool, String, String) {
    let mut command = tollgate();
    command.args(arguments).current_dir(home.path());
    let output = spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let Output { status, stdout, stderr } = output;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.success(), text(stdout), text(stderr))
}

/// Runs a command that must succeed, and returns what it printed.
async fn good(home: &Home, arguments: &[&str]) -> String {
    let (succeeded, printed, complaint) = run(home, arguments).await;
    assert!(succeeded, "{arguments:?}: {printed}{complaint}");
    printed
}

/// Runs a command that must fail, and returns its complaint.
async fn bad(home: &Home, arguments: &[&str]) -> String {
    let (succeeded, printed, complaint) = run(home, arguments).await;
    assert!(!succeeded, "{arguments:?}: {printed}");
    complaint
}

/// The names of all that is in a folder, but for the policies.
fn names(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).filter(|name| name != "policies").collect()
}

/// A home with a backup of these events of `ann` in it, and no data.
async fn home_with_backup(events: usize) -> Arc<Home> {
    let home = Home::new();
    let server = Server::start(&home).await;
    for i in 0..events {
        server.post("/v1/usage", &event("ann", &format!("e{i}"))).await.expect(201);
    }
    good(&home, &["backup", "--url", server.url(), "--output", "b"]).await;
    server.kill();
    fs::remove_dir_all(home.path().join("data")).unwrap();
    home
}

/// Records events until the service is gone, and tells which were acknowledged.
async fn record(client: Client, writer: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    loop {
        let id = format!("{writer}-{}", acknowledged.len());
        let answer = client.try_post("/v1/usage", &event("acme/ann", &id)).await;
        let Ok(answer) = answer else { return acknowledged };
        answer.expect(201);
        acknowledged.push(id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_holds_all_that_was_acknowledged_before_and_adds_up() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(record(server.client(), writer));
    }
    let mut before = Vec::new();
    for round in 0..3 {
        for i in 0..20 {
            before.push(format!("before-{round}-{i}"));
            server.post("/v1/usage", &event("acme/ann", before.last().unwrap())).await.expect(201);
        }
        let (copy, output) = (Home::new(), format!("backup-{round}"));
        good(&home, &["backup", "--url", server.url(), "--output", &output]).await;
        let from = home.path().join(&output);
        good(&copy, &["restore", "--from", from.to_str().unwrap()]).await;
        good(&copy, &["verify"]).await;

        let restored = good(&copy, &["export"]).await;
        let missing =
            before.iter().find(|id| !restored.contains(&format!("\"event_id\":\"{id}\"")));
        assert_eq!(missing, None, "in round {round}");
        let now = server.get("/v1/export").await.text;
        assert!(now.starts_with(&restored), "a backup is what was there up to some point");

        let events = restored.lines().count();
        let again = Server::start(&copy).await;
        for subject in ["acme", "acme%2Fann"] {
            let path = format!("/api/subscription/usage/{subject}");
            assert_eq!(again.get(&path).await.data()["total_calls"], events, "{subject}");
        }
    }
    server.kill();
    assert!(writers.join_all().await.concat().len() > 100, "there was load");
}

/// Each of these leaves the ledger as it is.
async fn answers(server: &Server, holds: &[String]) -> Vec<String> {
    let mut answers = Vec::new();
    for path in ["acme", "acme%2Fann", "acme%2Fbob", "zoe", "nobody"] {
        for query in ["", "?billing_period=2026-07", "?billing_period=all"] {
            let path = format!("/api/subscription/usage/{path}{query}");
            let mut usage = server.get(&path).await.data();
            usage["last_updated"].take();
            answers.push(usage.to_string());
        }
        let subscription = format!("/api/subscription/user/{path}/subscription");
        answers.push(server.get(&subscription).await.text);
    }
    for hold in holds {
        answers.push(server.get(&format!("/v1/reservations/{hold}")).await.text);
    }
    let mut again = event("acme/ann", "e1");
    answers.push(server.post("/v1/usage", &again).await.expect(200).to_string());
    again["usage"]["input_tokens"] = json!(1);
    answers.push(server.post("/v1/usage", &again).await.problem(409).to_string());
    let check = server.post("/v1/check", &call("acme/bob")).await.expect(200);
    answers.push(check.to_string());
    let replayed = server.try_post_once("/v1/reservations", "key", &hold("acme/bob")).await;
    let replayed = replayed.unwrap();
    assert_eq!(replayed.header("idempotency-replayed"), "true");
    answers.push(replayed.expect(201).to_string());
    let settled = server.post(&format!("/v1/reservations/{}/settle", holds[1]), &used()).await;
    answers.push(settled.expect(200).to_string());
    answers.push(server.get("/v1/export").await.text);
    answers
}

fn call(subject: &str) -> Value {
    json!({
        "subject": subject, "provider": "gemini", "model": "gemini-2.5-flash",
        "usage": { "input_tokens": 10, "output_tokens": 5 },
    })
}

fn hold(subject: &str) -> Value {
    let mut hold = call(subject);
    hold["ttl_seconds"] = json!(86_400);
    hold
}

fn used() -> Value {
    json!({ "usage": { "input_tokens": 10, "output_tokens": 5 } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_on_restored_data_answers_as_the_first_did() {
    let home = Home::new();
    let server = Server::start(&home).await;
    server.subscribe("acme", "enterprise").await;
    server.subscribe("zoe", "pro").await;
    for (subject, id) in [("acme/ann", "e1"), ("acme/bob", "e1"), ("zoe", "e2")] {
        server.post("/v1/usage", &event(subject, id)).await.expect(201);
    }
    let mut july = event("acme/ann", "e0");
    july["occurred_at"] = json!("2026-07-01T00:00:00Z");
    server.post("/v1/usage", &july).await.expect(201);
    let mut holds = Vec::new();
    for subject in ["acme/ann", "acme/bob", "zoe"] {
        let held = server.post("/v1/reservations", &hold(subject)).await.expect(201);
        holds.push(held["reservation_id"].as_str().unwrap().to_owned());
    }
    let once = server.try_post_once("/v1/reservations", "key", &hold("acme/bob")).await;
    once.unwrap().expect(201);
    server.delete(&format!("/v1/reservations/{}", holds[0])).await.expect(204);
    server.post(&format!("/v1/reservations/{}/settle", holds[1]), &used()).await.expect(200);

    let by_command = home.path().join("by-command");
    good(&home, &["backup", "--url", server.url(), "--output", "by-command"]).await;
    let first = answers(&server, &holds).await;
    server.kill();
    good(&home, &["backup", "--output", "from-folder"]).await;
    let from_folder = home.path().join("from-folder");
    let same = fs::read(&by_command).unwrap() == fs::read(&from_folder).unwrap();
    assert!(same, "of a service and of its folder");

    let copy = Home::new();
    let printed = good(&copy, &["restore", "--from", by_command.to_str().unwrap()]).await;
    assert!(printed.starts_with("5 events of 4 accounts in "), "{printed}");
    assert_eq!(names(copy.path()), ["data".to_owned()].into());
    for _ in 0..2 {
        good(&copy, &["verify"]).await;
        let again = Server::start(&copy).await;
        assert_eq!(answers(&again, &holds).await, first);
        again.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_without_events_is_backed_up_and_restored() {
    let home = home_with_backup(0).await;
    let printed = good(&home, &["restore", "--from", "b"]).await;
    assert!(printed.starts_with("0 events of 0 accounts in 0 blocks"), "{printed}");
    good(&home, &["verify"]).await;
    let server = Server::start(&home).await;
    server.post("/v1/usage", &event("ann", "first")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_goes_through_a_pipe() {
    let home = Home::new();
    let server = Server::start(&home).await;
    server.post("/v1/usage", &event("ann", "e1")).await.expect(201);
    let (mut backup, mut restore) = (tollgate(), tollgate());
    backup.args(["backup", "--url", server.url()]).stdout(Stdio::piped()).stderr(Stdio::null());
    let path = home.path().to_owned();
    let restored = spawn_blocking(move || {
        let mut backup = backup.spawn().unwrap();
        restore.args(["restore", "--from", "-", "--data", "copy"]).current_dir(path);
        let output = restore.stdin(backup.stdout.take().unwrap()).output().unwrap();
        assert!(backup.wait().unwrap().success());
        output
    });
    let restored = restored.await.unwrap();
    let printed = String::from_utf8_lossy(&restored.stdout).into_owned();
    assert!(printed.starts_with("1 events of 1 accounts"), "{printed}{restored:?}");
    good(&home, &["verify", "--data", "copy"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_is_refused_naming_the_place_and_leaves_nothing() {
    let home = home_with_backup(30).await;
    let whole = fs::read(home.path().join("b")).unwrap();
    let before = names(home.path());
    let refused = async |damaged: &[u8], named: &str| {
        fs::write(home.path().join("b"), damaged).unwrap();
        let complaint = bad(&home, &["restore", "--from", "b"]).await;
        assert!(complaint.contains("nothing was restored from b: "), "{complaint}");
        assert!(complaint.contains(named), "{named}: {complaint}");
        assert_eq!(names(home.path()), before);
    };
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..10 {
        let mut flipped = whole.clone();
        flipped[random.usize(..whole.len())] ^= 1 << random.u32(..8);
        refused(&flipped, "at byte ").await;
        refused(&whole[..random.usize(20..whole.len())], "breaks off in frame ").await;
    }
    let mut later = whole.clone();
    later[16] = 9;
    refused(&later, "the backup has format 9").await;
    refused(b"", "this is no backup").await;
    refused(&[&whole[..], &whole[..]].concat(), "it follows the end").await;

    fs::write(home.path().join("b"), &whole).unwrap();
    good(&home, &["restore", "--from", "b"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_data_is_refused_by_name_and_stays_as_it_is() {
    let home = home_with_backup(3).await;
    good(&home, &["restore", "--from", "b"]).await;
    for data in ["data", "policies"] {
        let before = names(&home.path().join(data));
        let complaint = bad(&home, &["restore", "--from", "b", "--data", data]).await;
        assert!(complaint.contains(&format!("something in {data} already")), "{complaint}");
        assert_eq!(names(&home.path().join(data)), before);
    }
    good(&home, &["verify"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_backed_up_is_said_and_no_file_is_there() {
    let home = Home::new();
    let complaint = bad(&home, &["backup", "--output", "b"]).await;
    assert!(complaint.contains("there is no data in ./data"), "{complaint}");
    let server = Server::start(&home).await;
    let complaint = bad(&home, &["backup", "--output", "b"]).await;
    assert!(complaint.contains("another process is using it"), "{complaint}");
    assert!(complaint.contains("--url"), "{complaint}");
    let elsewhere = format!("{}/v1", server.url());
    let complaint = bad(&home, &["backup", "--url", &elsewhere, "--output", "b"]).await;
    assert!(complaint.contains("404"), "{complaint}");
    assert_eq!(names(home.path()), ["data".to_owned()].into());
}

/// Answers one request with these bytes, and hangs up.
fn service_that_answers(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let mut read = 0;
        while !request[..read].ends_with(b"\r\n\r\n") {
            read += stream.read(&mut request[read..]).unwrap();
        }
        stream.write_all(&bytes).unwrap();
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_is_cut_off_leaves_the_earlier_backup() {
    let home = home_with_backup(30).await;
    let whole = fs::read(home.path().join("b")).unwrap();
    let half = whole.len() / 2;
    // Once it is cut off against the protocol, once in a way that looks like the end.
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
    let chunk = format!("{head}transfer-encoding: chunked\r\n\r\n{half:x}\r\n");
    for (beginning, named) in
        [(chunk, "broke off"), (format!("{head}\r\n"), "the backup breaks off in frame ")]
    {
        let answer = [beginning.as_bytes(), &whole[..half]].concat();
        let url = service_that_answers(answer);
        let complaint = bad(&home, &["backup", "--url", &url, "--output", "b"]).await;
        assert!(complaint.contains("there is no backup: "), "{complaint}");
        assert!(complaint.contains(named), "{named}: {complaint}");
        assert_eq!(names(home.path()), ["b".to_owned()].into());
        assert!(fs::read(home.path().join("b")).unwrap() == whole);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_a_file_with_a_name() {
    let server = shared().await;
    let answer = server.request(reqwest::Method::GET, "/v1/backup").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let header = |name: &str| answer.headers()[name].to_str().unwrap();
    assert_eq!(header("content-type"), "application/octet-stream");
    let disposition = header("content-disposition");
    assert!(
        disposition.starts_with("attachment; filename=\"tollgate-20260810T12"),
        "{disposition}"
    );
    assert!(disposition.ends_with("Z.backup\""), "{disposition}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_restore_leaves_nothing() {
    let home = home_with_backup(30).await;
    let whole = fs::read(home.path().join("b")).unwrap();
    let mut restore = tollgate();
    restore.args(["restore", "--from", "-"]).current_dir(home.path());
    let restore = restore.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut restore = restore.spawn().unwrap();
    let mut input = restore.stdin.take().unwrap();
    input.write_all(&whole[..whole.len() / 2]).unwrap();
    eventually("the restore has begun", async || {
        home.path().join("data.restoring/db").exists().then_some(())
    })
    .await;
    signal(&restore, "INT");
    // It waits for what comes next, and is told on the way.
    eventually("the restore ends", async || {
        let _ = input.write_all(&whole[..1]);
        restore.try_wait().unwrap()
    })
    .await;
    let mut complaint = String::new();
    restore.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert!(complaint.contains("nothing was restored from -: interrupted"), "{complaint}");
    assert_eq!(names(home.path()), ["b".to_owned()].into());
}
