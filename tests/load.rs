use std::fs;
use std::process::{Child, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Home, Server, eventually, signal, tollgate};

/// Starts a load in the trace's own speed or another, and waits until its first call is settled.
async fn begin(server: &Server, rows: &str, speed: &str) -> (TempDir, Child) {
    let folder = TempDir::new().unwrap();
    let trace = folder.path().join("trace.csv");
    fs::write(&trace, format!("TIMESTAMP,ContextTokens,GeneratedTokens\n{rows}")).unwrap();
    let mut command = tollgate();
    command.arg("load").arg("--trace").arg(trace).args(["--url", server.url()]);
    command.args(["--json", "--speed", speed]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let load = command.spawn().unwrap();
    eventually("the first call is settled", async || {
        let bill = server.get("/api/subscription/usage/load-0").await.data();
        (bill["total_calls"] != 0).then_some(())
    })
    .await;
    (folder, load)
}

/// The report and the complaint of a load that must end badly.
async fn end(load: Child) -> (Value, String) {
    let output = tokio::task::spawn_blocking(|| load.wait_with_output().unwrap()).await.unwrap();
    assert!(!output.status.success());
    (serde_json::from_slice(&output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_load_reports_what_it_has_done() {
    let server = Server::start(&Home::new()).await;
    let rows = "2023-11-16 18:00:00,10,5\n2023-11-16 19:00:00,10,5\n";
    let (_trace, load) = begin(&server, rows, "realtime").await;
    signal(&load, "INT");
    let (report, complaint) = end(load).await;
    let counts = ["rows", "calls", "settled", "failed"].map(|count| report[count].to_string());
    assert_eq!(counts, ["2", "1", "1", "0"], "{report}");
    assert_eq!(report["cost"], "0.000003125");
    assert!(complaint.contains("interrupted after 1 of 2 calls"), "{complaint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_fail_are_counted_by_cause() {
    let server = Server::start(&Home::new()).await;
    let rows = "2023-11-16 18:00:00,10,5\n".repeat(20_000);
    let (_trace, load) = begin(&server, &rows, "flat").await;
    server.kill();
    let (report, complaint) = end(load).await;
    let failed = report["failed"].as_u64().unwrap();
    assert!(failed > 0, "{report}");
    assert_eq!(report["calls"], 20_000);
    let causes = report["failures"].as_object().unwrap();
    assert_eq!(causes.values().filter_map(Value::as_u64).sum::<u64>(), failed);
    assert!(complaint.contains(&format!("{failed} of 20000 calls failed")), "{complaint}");
}
