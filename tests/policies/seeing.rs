use std::fs;

use serde_json::json;

use super::revision;
use crate::support::{Home, Server, tollgate};

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_of_policies_requests_and_the_ledger() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let used = json!({
        "subject": "ann", "provider": "gemini", "model": "gemini-2.5-flash",
        "usage": { "input_tokens": 1 },
    });
    for _ in 0..3 {
        server.post("/v1/usage", &used).await.expect(201);
    }
    server.get("/no/such/path").await;
    fs::write(home.policy("broken.toml"), "kind = ").unwrap();
    server.post("/v1/policies/reload", &json!({})).await.expect(200);

    let answer = server.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    let text = answer.text;
    assert!(text.ends_with("# EOF\n"), "{text}");
    let has = |start: &str, end: &str| {
        let found = text.lines().any(|line| line.starts_with(start) && line.ends_with(end));
        assert!(found, "{start} … {end} is missing from\n{text}");
    };
    has("tollgate_policy_calls_total{policy=\"token-pricing\",revision=\"", "} 3");
    has("tollgate_policy_fuel_total{policy=\"token-pricing\"", "");
    has("tollgate_policy_memory_bytes{policy=\"token-pricing\"", "");
    has("tollgate_policy_instances{policy=\"token-pricing\"", "");
    has("tollgate_policy_faults_total{policy=\"token-pricing\"", "fault=\"out_of_fuel\"} 0");
    has("tollgate_policy_call_duration_seconds_bucket{le=\"+Inf\",policy=\"token-pricing\"", "} 3");
    has("tollgate_policies_refused{policy=\"broken\",revision=\"", "step=\"verified\"} 1");
    has("tollgate_policies_activations_total 1", "");
    has("tollgate_policies_ready 1", "");
    has("tollgate_ledger_units_total 3", "");
    has("tollgate_http_requests_total{route=\"/v1/usage\",status=\"2xx\"} 3", "");
    has("tollgate_http_requests_total{route=\"other\",status=\"4xx\"} 1", "");
    has("tollgate_http_request_duration_seconds_count{route=\"/v1/usage\"} 3", "");
    assert!(!text.contains("such"), "no path becomes a label");
}

#[tokio::test(flavor = "multi_thread")]
async fn tollgate_policies_prints_what_is_in_force_and_what_was_refused() {
    let home = Home::new();
    let server = Server::start(&home).await;
    fs::write(home.policy("broken.toml"), "kind = ").unwrap();
    server.post("/v1/policies/reload", &json!({})).await.expect(200);
    let url = server.url().to_owned();
    let run = |url: String| {
        tokio::task::spawn_blocking(move || {
            tollgate().args(["policies", "--url", &url]).output().unwrap()
        })
    };
    let out = run(url).await.unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with(&format!("revision {}", revision(&server).await)), "{text}");
    assert!(lines[2].starts_with("POLICY            KIND     STATE   REVISION"), "{text}");
    assert!(lines[3].starts_with("standard-tiers    tier     active  "), "{text}");
    assert!(text.contains("\nrefused:\n  broken is not verified, since "), "{text}");
    assert!(text.contains("    broken.toml:1: "), "{text}");

    server.terminate();
    let gone = server.url().to_owned();
    server.ended().await;
    let out = run(gone).await.unwrap();
    assert!(!out.status.success());
    assert!(String::from_utf8_lossy(&out.stderr).contains("cannot reach"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_never_failed_has_no_inputs_to_show() {
    let server = Server::start(&Home::new()).await;
    let faults = server.get("/v1/policies/standard-tiers/faults").await.expect(200);
    assert_eq!(faults, json!({ "faults": [] }));
}
