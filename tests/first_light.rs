mod naive;
mod trace;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use self::naive::Account;
use self::trace::Row;
use crate::support::{Home, Server, tollgate, usd};

/// So few that the plans' tokens run out.
const SUBJECTS: usize = 7;

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_hour_adds_up_to_the_last_digit() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/azure-llm-trace-code.csv");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let rows = trace::parse(&text);
    assert_eq!(rows.len(), 8_819);
    check(&path, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_run_into_every_kind_of_quota_add_up_to_the_last_digit() {
    let rows = trace::synthetic(SUBJECTS);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.csv");
    std::fs::write(&path, trace::print(&rows)).unwrap();
    let refused = check(&path, &rows).await;
    for (plan, quota) in [
        ("free", "gemini_calls"),
        ("free", "gemini_tokens"),
        ("basic", "gemini_tokens"),
        ("basic", "openai_tokens"),
        ("basic", "monthly_cost"),
        ("pro", "gemini_tokens"),
        ("pro", "openai_tokens"),
        ("pro", "monthly_cost"),
        ("enterprise", "monthly_cost"),
    ] {
        let met = |line: &Value| line["plan"] == plan && line["quota"] == quota;
        assert!(refused.iter().any(met), "no call met {quota} of {plan}");
    }
}

/// Drives a new service with the trace, and compares its report and every subject's bill with a
/// sum of our own. Returns the refusals.
async fn check(path: &Path, rows: &[Row]) -> Vec<Value> {
    let server = Server::start(&Home::new()).await;
    let accounts = naive::account(rows, SUBJECTS);
    let report = load(&server, path).await;

    let sum = |part: fn(&Account) -> u64| accounts.iter().map(part).sum::<u64>();
    let refusals = naive::refusals(&accounts);
    assert_eq!(report["calls"], rows.len());
    assert_eq!(report["failed"], 0);
    assert_eq!(report["settled"], sum(Account::calls));
    assert_eq!(report["refused"], rows.len() as u64 - sum(Account::calls));
    assert_eq!(report["input_tokens"], sum(|account| account.input_tokens));
    assert_eq!(report["output_tokens"], sum(|account| account.output_tokens));
    assert_eq!(report["cost"], usd(sum(Account::nanos)));
    assert_eq!(report["refusals"], json!(refusals));

    for (subject, account) in accounts.iter().enumerate() {
        let bill = server.get(&format!("/api/subscription/usage/load-{subject}")).await.data();
        assert_eq!(bill["total_calls"].to_string(), account.calls().to_string(), "{bill}");
        assert_eq!(bill["total_tokens"].to_string(), account.tokens().to_string(), "{bill}");
        assert_eq!(bill["total_cost"].to_string(), usd(account.nanos()), "{bill}");
        for (provider, used) in &account.providers {
            let line = &bill["provider_breakdown"][provider];
            assert_eq!(line["calls"].to_string(), used.calls.to_string(), "{bill}");
            assert_eq!(line["tokens"].to_string(), used.tokens.to_string(), "{bill}");
            assert_eq!(line["cost"].to_string(), usd(used.nanos), "{bill}");
        }
    }
    refusals
}

/// Runs `tollgate load`, which must end well, and reads its report.
async fn load(server: &Server, trace: &Path) -> Value {
    let mut command = tollgate();
    command.arg("load").arg("--trace").arg(trace).args(["--url", server.url(), "--json"]);
    command.args(["--subjects", &SUBJECTS.to_string()]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (report, complaints) = (output.stdout, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{complaints}{}", String::from_utf8_lossy(&report));
    serde_json::from_slice(&report).unwrap()
}
