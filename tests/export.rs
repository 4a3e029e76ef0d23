use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};
use tokio::task::{JoinSet, spawn_blocking};

use crate::support::{Client, Home, Server, shared, tollgate};

const WRITERS: usize = 8;

fn event(subject: &str, id: &str, occurred_at: &str) -> Value {
    json!({
        "event_id": id, "subject": subject, "provider": "gemini", "model": "gemini-2.5-flash",
        "usage": { "input_tokens": 1000, "output_tokens": 500 }, "occurred_at": occurred_at,
    })
}

fn lines(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is not whole");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event_id"].as_str().unwrap()).collect()
}

/// Exports by command, in a folder.
async fn export(home: &Home, arguments: &[&str]) -> Vec<Value> {
    let mut command = tollgate();
    command.arg("export").args(arguments).current_dir(home.path());
    lines(&good(command).await)
}

async fn good(mut command: Command) -> String {
    let output = spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Records events until the service is gone, and tells which were acknowledged.
async fn record(client: Client, writer: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    loop {
        let id = format!("{writer}-{}", acknowledged.len());
        let body = event("acme/ann", &id, "2026-08-10T11:00:00Z");
        let Ok(answer) = client.try_post("/v1/usage", &body).await else { return acknowledged };
        answer.expect(201);
        acknowledged.push(id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_acknowledged_event_is_exported_exactly_once() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let mut before = Vec::new();
    for i in 0..50 {
        before.push(format!("before-{i}"));
        let body = event("acme/ann", &before[i], "2026-08-10T11:00:00Z");
        server.post("/v1/usage", &body).await.expect(201);
    }
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(record(server.client(), writer));
    }
    // While others record, whatever was there before is there, in its order.
    for _ in 0..5 {
        let exported = lines(&server.get("/v1/export").await.text);
        assert_eq!(ids(&exported)[..50], before);
        let command = export(&home, &["--url", server.url()]).await;
        assert_eq!(command[..exported.len()], exported, "later exports go on from earlier ones");
    }
    server.kill();
    let mut acknowledged = before;
    acknowledged.extend(writers.join_all().await.concat());

    let exported = export(&home, &[]).await;
    let exported = ids(&exported);
    let once: BTreeSet<_> = exported.iter().copied().collect();
    assert_eq!(once.len(), exported.len());
    let lost = acknowledged.iter().find(|id| !once.contains(id.as_str()));
    assert_eq!(lost, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_event_says_all_that_is_known_of_it() {
    let server = shared().await;
    let body = event("export-whole", "e1", "2026-08-10T11:00:00Z");
    server.post("/v1/usage", &body).await.expect(201);
    let shown = server.get("/v1/usage?subject=export-whole&event_id=e1").await.expect(200);
    let is_mine = |event: &&Value| event["subject"] == "export-whole";

    let answer = server.get("/v1/export").await;
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let exported = lines(&answer.text);
    assert_eq!(exported.iter().find(is_mine), Some(&shown));
    assert_eq!(shown["cost"], "0.0003125");

    let exported = lines(&server.get("/v1/export?format=cloudevents").await.text);
    let mut envelope = exported.iter().find(is_mine).unwrap().clone();
    assert!(envelope["id"].take().as_str().unwrap().starts_with("ev-"));
    assert_eq!(
        envelope,
        json!({
            "specversion": "1.0", "id": null, "source": "urn:tollgate:ledger",
            "type": "com.tollgate.usage.recorded", "subject": "export-whole",
            "time": "2026-08-10T11:00:00Z", "datacontenttype": "application/json", "data": shown,
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_holds_what_occurred_in_it() {
    let home = Home::new();
    let server = Server::start(&home).await;
    for (id, hour) in [("late", "11:00"), ("early", "09:00"), ("middle", "10:00")] {
        let body = event("ann", id, &format!("2026-08-10T{hour}:00Z"));
        server.post("/v1/usage", &body).await.expect(201);
    }
    let (ten, eleven) = ("2026-08-10T10:00:00Z", "2026-08-10T11:00:00Z");
    for (from, to, expected) in [
        (None, None, &["late", "early", "middle"][..]),
        (Some(ten), None, &["late", "middle"]),
        (None, Some(eleven), &["early", "middle"]),
        (Some(ten), Some(eleven), &["middle"]),
        (Some(ten), Some(ten), &[]),
    ] {
        let bounds = [("from", from), ("to", to)];
        let given: Vec<_> = bounds.iter().filter_map(|(n, v)| Some((*n, (*v)?))).collect();
        let query: Vec<_> = given.iter().map(|(name, time)| format!("{name}={time}")).collect();
        let exported = lines(&server.get(&format!("/v1/export?{}", query.join("&"))).await.text);
        assert_eq!(ids(&exported), expected);

        let flags: Vec<_> = given.iter().map(|(name, time)| format!("--{name}={time}")).collect();
        let mut arguments: Vec<_> = flags.iter().map(String::as_str).collect();
        arguments.extend(["--url", server.url(), "--output", "events"]);
        assert!(export(&home, &arguments).await.is_empty(), "it all goes to the file");
        let written = std::fs::read_to_string(home.path().join("events")).unwrap();
        assert_eq!(ids(&lines(&written)), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_parameters_are_problems_that_name_them() {
    let server = shared().await;
    for (query, pointer) in [
        ("from=yesterday", "/from"),
        ("to=2026", "/to"),
        ("format=xml", "/format"),
        ("from=2026-08-10T11:00:00Z&to=2026-08-10T10:00:00Z", "/to"),
        ("form=ndjson", "/form"),
    ] {
        let problem = server.get(&format!("/v1/export?{query}")).await.problem(400);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}: {problem}");
    }
}
