use std::fs;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::{can_build, good, root, shell};
use crate::support::{Home, Server, eventually_within};

/// A component in Python has 18 MB to compile, and the service's compiler makes way for everybody.
const PATIENCE: Duration = Duration::from_secs(600);

/// The commands of the page for this language: the block of shell after `<!-- LANGUAGE -->`.
fn commands(language: &str) -> String {
    let page = fs::read_to_string(root().join("plugins/README.md")).unwrap();
    let (_, after) = page.split_once(&format!("<!-- {language} -->\n\n```sh\n")).unwrap();
    after.split_once("\n```\n").unwrap().0.to_owned()
}

/// Does what the page says, beside a service that runs on a Sunday.
async fn follow(language: &str) {
    if !can_build(language) {
        return;
    }
    let server = Server::start_at(&Home::new(), "2026-08-09T12:00:00Z").await;
    let call = json!({ "subject": "ann", "provider": "gemini" });
    assert_eq!(server.post("/v1/check", &call).await.expect(200)["allowed"], true);

    let folder = TempDir::new().unwrap();
    let commands = commands(language);
    let mut shell = shell(folder.path(), &commands);
    shell.env("POLICIES", server.home.policy("").to_str().unwrap()).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
    let shown = good(output);
    let taken = shown.contains("closing-days would be taken");
    assert!(taken || !commands.contains("plugin check"), "{shown}");
    assert!(shown.contains("3 cases passed"), "{shown}");

    let active = |policies: &serde_json::Value| {
        let mut policies = policies["policies"].as_array().unwrap().iter();
        policies.any(|policy| policy["name"] == "closing-days")
    };
    eventually_within(PATIENCE, "the policy is active", async || {
        active(&server.get("/v1/policies").await.expect(200)).then_some(())
    })
    .await;
    let closed = server.post("/v1/check", &call).await.expect(200);
    assert_eq!(closed["allowed"], false, "{closed}");
    assert_eq!(closed["denied"]["reason"], "closed", "{closed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_leads_to_a_policy_in_rust() {
    follow("rust").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_leads_to_a_policy_in_c() {
    follow("c").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_leads_to_a_policy_in_javascript() {
    follow("javascript").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_leads_to_a_policy_in_python() {
    follow("python").await;
}
