use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::support::{Client, Home, Server, eventually, tollgate};

const TIERS: &str = "standard-tiers.toml";

/// As shipped, the free plan's quota on calls ends so.
const LIMIT: &str = "limit = 100 }";

/// A home whose free plan sells so many Gemini calls in a window.
fn home(limit: u32, window: &str) -> Arc<Home> {
    let home = Home::new();
    home.edit(TIERS, LIMIT, &format!("limit = {limit}, window = \"{window}\" }}"));
    home
}

fn call() -> Value {
    json!({
        "subject": "ann", "provider": "gemini", "model": "gemini-2.5-flash",
        "usage": { "input_tokens": 10, "output_tokens": 5 },
    })
}

/// Holds quota for a call, and settles it at once.
async fn reserve_and_settle(client: &Client) {
    let held = client.post("/v1/reservations", &call()).await.expect(201);
    let path = format!("/v1/reservations/{}/settle", held["reservation_id"].as_str().unwrap());
    let used = json!({ "usage": { "input_tokens": 10, "output_tokens": 5 } });
    client.post(&path, &used).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_refused_while_the_window_is_full_and_granted_once_the_oldest_has_left() {
    const SECONDS: u64 = 4;
    let server = Server::start(&home(2, "sliding:4")).await;
    let begun = Instant::now();
    reserve_and_settle(&server).await;
    reserve_and_settle(&server).await;

    let refused = server.post("/v1/reservations", &call()).await;
    assert_eq!(refused.status, 429, "{}", refused.text);
    assert_eq!(refused.header("ratelimit-policy"), "\"gemini_calls\";q=2;w=4");
    assert!(refused.header("ratelimit").starts_with("\"gemini_calls\";r=0;t="));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=SECONDS).contains(&wait), "{wait}");
    let denied = refused.problem(429)["denied"].take();
    assert_eq!((&denied["used"], &denied["reserved"]), (&json!("2"), &json!("0")));

    eventually("the oldest call leaves the window", async || {
        let answer = server.post("/v1/reservations", &call()).await;
        (answer.status == 201).then_some(())
    })
    .await;
    assert!(begun.elapsed() >= Duration::from_secs(SECONDS), "{:?}", begun.elapsed());
    let check = server.post("/v1/check", &call()).await.expect(200);
    assert_eq!(check["quotas"][0]["window"], "sliding:4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_goes_on_over_restarts_and_over_the_turn_of_the_month() {
    let home = home(1, "sliding:3600");
    let server = Server::start_at(&home, "2026-08-31T23:30:00Z").await;
    let mut used = call();
    used["occurred_at"] = json!("2026-08-31T23:30:00Z");
    let recorded = server.post("/v1/usage", &used).await.expect(201);
    let raised: Vec<_> = recorded["alerts"].as_array().unwrap().iter().collect();
    assert_eq!(raised.len(), 3, "{recorded}");
    let message = raised[0]["message"].as_str().unwrap();
    assert!(message.contains("1 of 1 calls in 3600 seconds"), "{message}");
    server.kill();

    let server = Server::start_at(&home, "2026-09-01T00:29:00Z").await;
    server.post("/v1/reservations", &call()).await.problem(429);
    let statistics = server.get("/api/subscription/usage/ann").await.data();
    assert_eq!(statistics["usage_percentages"]["gemini_calls"], 100);
    assert_eq!(
        (&statistics["total_calls"], &statistics["usage_status"]),
        (&json!(0), &json!("limit_reached"))
    );
    let august = server.get("/api/subscription/usage/ann?billing_period=2026-08").await.data();
    assert_eq!(
        (&august["total_calls"], &august["usage_percentages"]["gemini_calls"]),
        (&json!(1), &json!(0))
    );
    // A second use within the hour warns of nothing that was warned of.
    let again = server.post("/v1/usage", &call()).await.expect(201);
    assert_eq!((&again["overage"], &again["alerts"]), (&json!(true), &json!([])));
    server.kill();

    // Killed before it was condensed, a window is added up anew from quarter-hours.
    let server = Server::start_at(&home, "2026-09-01T01:45:01Z").await;
    server.post("/v1/reservations", &call()).await.expect(201);
    server.kill();
    let mut verify = tollgate();
    verify.arg("verify").current_dir(home.path());
    let Output { status, stdout, stderr } =
        spawn_blocking(move || verify.output().unwrap()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    assert!(status.success(), "{}{}", text(stdout), text(stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_begins_to_slide_keeps_what_was_used() {
    let server = Server::start(&Home::new()).await;
    let mut used = call();
    used["usage"] = json!({ "calls": 100 });
    server.post("/v1/usage", &used).await.expect(201);
    server.home.edit(TIERS, LIMIT, "limit = 100, window = \"sliding:86400\" }");
    let quota = eventually("the quota slides", async || {
        let check = server.post("/v1/check", &call()).await.expect(200);
        (check["quotas"][0]["window"] == "sliding:86400").then(|| check["quotas"][0].clone())
    })
    .await;
    assert_eq!(quota["used"], "100");
    server.post("/v1/reservations", &call()).await.problem(429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_none_is_refused_with_its_path() {
    let server = Server::start(&Home::new()).await;
    let mut old = LIMIT.to_owned();
    for window in ["sliding:0", "sliding:x", "sliding:2678401"] {
        let new = format!("limit = 100, window = \"{window}\" }}");
        server.home.edit(TIERS, &old, &new);
        old = new;
        let reason = eventually("the manifest is rejected", async || {
            let policies = server.get("/v1/policies").await.expect(200);
            let reason = policies["rejected"][0]["reason"].as_str()?.to_owned();
            reason.contains(window).then_some(reason)
        })
        .await;
        assert!(reason.contains("/plans/0/quotas/0/window"), "{reason}");
    }
}
