use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, CLOCK_START, Home, Server, eventually, tollgate};

const SECRET: &str = "sk-d0-n0t-t3ll";

async fn server(home: &Arc<Home>, error_log: &str) -> Server {
    let mut command = Server::command(home, CLOCK_START);
    command.args(["--error-log", error_log]);
    let server = Server::spawn(home, command);
    eventually("the service is ready", async || {
        (server.get("/readyz").await.status == 200).then_some(())
    })
    .await;
    server
}

fn file(home: &Home) -> PathBuf {
    home.path().join("logs/subscription_errors.log")
}

/// The line that an answer left.
async fn line(home: &Home, answer: &Answer) -> String {
    let id = format!("\"{}\"", answer.header("x-request-id"));
    eventually("the error is in the log", async || {
        let log = fs::read_to_string(file(home)).ok()?;
        log.lines().find(|line| line.contains(&id)).map(str::to_owned)
    })
    .await
}

#[track_caller]
fn has(line: &str, words: &[&str]) {
    for word in words {
        assert!(line.contains(word), "{word} is missing from {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_failed_is_told_by_its_name_its_id_and_where_it_is_wrong() {
    let home = Home::new();
    let server = server(&home, "logs/subscription_errors.log").await;
    let enforced = json!({ "user_id": "ann", "provider": "openai", "tokens_requested": 5 });
    let refused = server.post("/api/subscription/enforce", &enforced).await;
    assert_eq!(refused.status, 403);
    let words = ["SubscriptionException", "/api/subscription/enforce", "status=403", "ann"];
    has(&line(&home, &refused).await, &words);

    let used =
        json!({ "subject": "bea", "provider": "gemini", "usage": { "calls": 100 }, "cost": "0" });
    server.post("/v1/usage", &used).await.expect(201);
    let enforced = json!({ "user_id": "bea", "provider": "gemini" });
    let limited = server.post("/api/subscription/enforce", &enforced).await;
    assert_eq!(limited.status, 429);
    has(&line(&home, &limited).await, &["UsageLimitExceededException", "status=429", "bea"]);

    let wrong = server.post("/v1/check", &json!({ "subject": "ann", "provider": 7 })).await;
    has(&line(&home, &wrong).await, &["urn:tollgate:problem:invalid-request", "/provider"]);

    let tracked = server.post("/api/subscription/track", &json!({ "user_id": "ann" })).await;
    has(&line(&home, &tracked).await, &["TrackingException", "/provider"]);

    let log = fs::read_to_string(file(&home)).unwrap();
    assert!(!log.contains("/readyz\" status=200"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_sent_is_in_it() {
    let home = Home::new();
    let server = server(&home, "logs/subscription_errors.log").await;
    let post = async |path: &str, body: String| {
        let request = server.request(Method::POST, path);
        let request = request.header("content-type", "application/json").bearer_auth(SECRET);
        let request = request.header("x-api-key", SECRET).header("idempotency-key", SECRET);
        let answer = Answer::to(request.body(body)).await.unwrap();
        assert!(answer.status.is_client_error(), "{}", answer.text);
        let line = line(&home, &answer).await;
        assert!(line.contains(path.split('?').next().unwrap()), "{line}");
        answer
    };
    let as_number = json!({ "subject": "ann", "provider": "gemini", "max_tokens": SECRET });
    let told = post("/v1/reservations", as_number.to_string()).await;
    assert!(told.text.contains(SECRET), "the caller is told more: {}", told.text);
    let flavor = json!({ "subject": "ann", "provider": "gemini", "response": { "key": SECRET },
                         "api_flavor": SECRET });
    post("/v1/usage", flavor.to_string()).await;
    let manifest = json!({ "policy": "token-pricing", "manifest": SECRET });
    post("/v1/rerate", manifest.to_string()).await;
    post("/v1/check", format!("{{\"subject\": {SECRET}")).await;
    post(&format!("/v1/check?key={SECRET}"), "{}".to_owned()).await;
    post("/api/subscription/track", json!({ "provider": "gemini", "cost": SECRET }).to_string())
        .await;
    let log = fs::read_to_string(file(&home)).unwrap();
    assert!(!log.contains(SECRET), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_left_out() {
    let home = Home::new();
    let server = server(&home, "off").await;
    server.post("/v1/check", &json!({})).await.problem(400);
    drop(server);
    assert!(!home.path().join("logs").exists() && !home.path().join("off").exists());
}

#[test]
fn a_file_that_was_asked_for_and_cannot_be_written_is_named() {
    let home = Home::without_policies();
    fs::write(home.path().join("taken"), "").unwrap();
    let mut command = tollgate();
    command.current_dir(home.path()).args(["serve", "--listen", "127.0.0.1:0"]);
    let output = command.args(["--error-log", "taken/errors.log"]).output().unwrap();
    assert!(!output.status.success());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("cannot write the error log taken/errors.log"), "{complaint}");
}
