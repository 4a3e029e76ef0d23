//! A real axum app behind the layer, and the real service behind that.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate_tower::{Ask, Client, Meter, OnFailure, TollgateLayer};

const PATIENCE: Duration = Duration::from_secs(60);

/// A plan whose quota never resets, so that no test depends on the day it runs.
const PLAN: &str = r#"
[[config.plans]]
id = "five"
name = "Five"
tier = "free"
price_monthly = "0"
price_yearly = "0"
features = []
providers = ["gemini"]
quotas = [{ name = "gemini_calls", meter = "calls", limit = 5, window = "lifetime" }]
"#;

/// A running service in a folder of its own; both end with the value.
struct Service {
    child: Child,
    _home: TempDir,
    url: String,
    http: reqwest::Client,
}

impl Service {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        copy_policies(home.path());
        let url = format!("http://127.0.0.1:{}", free_port());
        let child = Command::new(program())
            .args(["serve", "--listen", url.trim_start_matches("http://")])
            .current_dir(home.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("target/release/tollgate is there: run `make build` first");
        let service = Self { child, _home: home, url, http: reqwest::Client::new() };
        service
            .eventually("the service is ready", async |service| {
                let ready = service.http.get(format!("{}/readyz", service.url)).send().await;
                ready.is_ok_and(|answer| answer.status().is_success())
            })
            .await;
        service
    }

    async fn subject(&self, name: &str) {
        let url = format!("{}/api/subscription/user/{name}/subscription", self.url);
        let answer = self.http.put(url).json(&json!({ "plan": "five" })).send().await.unwrap();
        assert!(answer.status().is_success());
    }

    /// What is used of the quota, and what is held.
    async fn standing(&self, subject: &str) -> (String, String) {
        let ask = json!({ "subject": subject, "provider": "gemini" });
        let request = self.http.post(format!("{}/v1/check", self.url)).json(&ask);
        let verdict: Value = request.send().await.unwrap().json().await.unwrap();
        let amount = |name: &str| verdict["quotas"][0][name].as_str().unwrap().to_owned();
        (amount("used"), amount("reserved"))
    }

    async fn comes_to(&self, subject: &str, used: &str) {
        let what = format!("{used} are used and none is held");
        self.eventually(&what, async |service| {
            service.standing(subject).await == (used.to_owned(), "0".to_owned())
        })
        .await;
    }

    /// Of a subject with one event, that event, once it is on disk.
    async fn event(&self, subject: &str) -> Value {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let answer = self.http.get(format!("{}/v1/export", self.url)).send().await.unwrap();
            let text = answer.text().await.unwrap();
            let mut events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            if let Some(event) = events.find(|event| event["subject"] == subject) {
                return event;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{subject} has no event");
    }

    async fn eventually(&self, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        let start = Instant::now();
        while !holds(self).await {
            assert!(start.elapsed() < PATIENCE, "it never happened that {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> PathBuf {
    let path = std::env::var_os("TOLLGATE").unwrap_or_else(|| "target/release/tollgate".into());
    repository().join(path)
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn copy_policies(home: &Path) {
    let folder = home.join("policies");
    fs::create_dir(&folder).unwrap();
    for file in fs::read_dir(repository().join("policies")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml" || extension == "wasm") {
            fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
    }
    let plans = folder.join("standard-tiers.toml");
    let text = fs::read_to_string(&plans).unwrap();
    fs::write(plans, text + PLAN).unwrap();
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts an app behind the layer and says where it is; it runs until the test ends.
async fn app(service_url: &str, on_failure: OnFailure) -> String {
    let client = Client::new(service_url).unwrap();
    let detect = |request: &Request| {
        let user = request.headers().get("x-user-id")?.to_str().ok()?;
        Some(Ask::new(user, "gemini").model("gemini-2.5-flash").endpoint(request.uri().path()))
    };
    let app = Router::new()
        .route("/silent", post(async || "ok"))
        .route("/says", post(says))
        .route("/fails", post(async || StatusCode::BAD_GATEWAY))
        .route("/hangs", post(std::future::pending::<()>))
        .route("/free", get(async || "free"))
        .layer(TollgateLayer::with(client, detect, on_failure));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// Says what it used while its answer is under way.
async fn says(Extension(meter): Extension<Meter>) -> Body {
    meter.used("input_tokens", 1000);
    let mut left = 3;
    Body::new(Chunks(Box::new(move || {
        left -= 1;
        if left == 0 {
            meter.used("output_tokens", 500);
        }
        (left >= 0).then(|| "chunk".into())
    })))
}

/// A body in frames, made one by one.
struct Chunks(Box<dyn FnMut() -> Option<bytes::Bytes> + Send + Sync>);

impl http_body::Body for Chunks {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        std::task::Poll::Ready((self.0)().map(|chunk| Ok(http_body::Frame::data(chunk))))
    }
}

async fn call(app: &str, path: &str, user: &str) -> reqwest::Response {
    let request = reqwest::Client::new().post(format!("{app}{path}"));
    request.header("x-user-id", user).send().await.unwrap()
}

#[tokio::test]
async fn requests_are_held_to_a_quota_and_recorded_with_what_they_used() {
    let service = Service::start().await;
    let app = app(&service.url, OnFailure::Deny).await;

    service.subject("many").await;
    let calls: Vec<_> = (0..25)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move { call(&app, "/silent", "many").await.status() })
        })
        .collect();
    let mut granted = 0;
    for call in calls {
        match call.await.unwrap() {
            StatusCode::OK => granted += 1,
            status => assert_eq!(status, StatusCode::TOO_MANY_REQUESTS),
        }
    }
    assert_eq!(granted, 5, "of concurrent requests exactly as many succeed as fit");
    service.comes_to("many", "5").await;

    let refused = call(&app, "/silent", "many").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("ratelimit-policy"));
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["denied"]["quota"], "gemini_calls");

    service.subject("says").await;
    assert_eq!(call(&app, "/says", "says").await.text().await.unwrap(), "chunkchunkchunk");
    service.comes_to("says", "1").await;
    let event = service.event("says").await;
    assert_eq!(event["usage"], json!({ "calls": 1, "input_tokens": 1000, "output_tokens": 500 }));
    assert_eq!(event["cost"], "0.0003125");
    assert_eq!(event["endpoint"], "/says");
    assert_eq!(event["status_code"], 200);

    service.subject("fails").await;
    for _ in 0..7 {
        assert_eq!(call(&app, "/fails", "fails").await.status(), StatusCode::BAD_GATEWAY);
        service.comes_to("fails", "0").await;
    }

    service.subject("hangs").await;
    let hanging = tokio::spawn({
        let app = app.clone();
        async move { call(&app, "/hangs", "hangs").await }
    });
    let held = async |service: &Service| service.standing("hangs").await.1 == "1";
    service.eventually("the request holds quota", held).await;
    hanging.abort();
    service.comes_to("hangs", "0").await;

    let free = reqwest::get(format!("{app}/free")).await.unwrap();
    assert_eq!(free.text().await.unwrap(), "free", "what calls nobody passes");
    assert_eq!(call(&app, "/silent", "a//b").await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn without_the_service_requests_are_turned_away_or_go_ahead_by_choice() {
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let closed = app(&nobody, OnFailure::Deny).await;
    assert_eq!(call(&closed, "/silent", "ann").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let open = app(&nobody, OnFailure::Allow).await;
    assert_eq!(call(&open, "/silent", "ann").await.text().await.unwrap(), "ok");
}
