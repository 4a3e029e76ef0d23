use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Home, Server, tollgate};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("host/docs").join(name)).unwrap()
}

/// The words of a text that begin with `TOLLGATE_`.
fn variables(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
    words.filter(|word| word.starts_with("TOLLGATE_")).map(str::to_owned).collect()
}

fn help(command: &str) -> String {
    let output = tollgate().args([command, "--help"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_environment_variable_is_described_and_none_that_there_is_not() {
    let mut known = variables(&help("serve"));
    known.extend(variables(&help("load")));
    // Of the Python package.
    known.insert("TOLLGATE_URL".to_owned());
    assert_eq!(variables(&page("settings.md")), known);
}

/// All commands of the page, one after the other, as a reader would run them.
#[tokio::test(flavor = "multi_thread")]
async fn the_app_developers_page_runs_as_it_stands() {
    if Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED: there is no curl");
        return;
    }
    let text = page("developers.md");
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let script: String = blocks.collect();
    assert!(script.matches("curl ").count() > 15, "{script}");
    let server = Server::start(&Home::new()).await;
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", &script]).env("TOLLGATE", server.url());
    let output = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}\n{}", String::from_utf8_lossy(&output.stdout));

    let usage = server.get("/api/subscription/usage/ann").await.data();
    // Settled, recorded one by one and corrected, and sent as a line.
    assert_eq!(usage["total_calls"], 3, "{usage}");
    assert_eq!(usage["total_tokens"], 1_412 + 1_400 + 15, "{usage}");
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let pages = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "plugins/README.md"];
    let docs = ["developers", "operators", "migration", "settings", "troubleshooting"];
    let docs = docs.map(|name| format!("host/docs/{name}.md"));
    for page in pages.into_iter().map(str::to_owned).chain(docs) {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        let links = text.split("](").skip(1).map(|rest| rest.split_once(')').unwrap().0);
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let link = link.split('#').next().unwrap();
            let target = root().join(&page).parent().unwrap().join(link);
            assert!(target.exists(), "{page} leads to {link}, which is not there");
        }
    }
}

/// Every path and table that the older system has.
#[test]
fn the_migration_page_leaves_nothing_out() {
    let text = page("migration.md");
    for known in [
        "subscription_plans",
        "user_subscriptions",
        "api_usage_logs",
        "usage_summaries",
        "api_provider_pricing",
        "usage_alerts",
        "billing_history",
        "GET /api/subscription/plans",
        "GET /api/subscription/user/{user_id}/subscription",
        "GET /api/subscription/pricing",
        "GET /api/subscription/usage/{user_id}",
        "GET /api/subscription/usage/{user_id}/trends",
        "GET /api/subscription/dashboard/{user_id}",
        "GET /api/subscription/alerts/{user_id}",
        "POST /api/subscription/alerts/{alert_id}/mark-read",
        "enforce_usage_limits",
        "track_api_usage",
        "handle_usage_limit_error",
        "DATABASE_URL",
    ] {
        assert!(
            text.contains(&format!("`{known}")) || text.contains(&format!(".{known}(")),
            "{known}"
        );
    }
}
