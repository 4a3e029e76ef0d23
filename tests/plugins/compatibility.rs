use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::{good, plugin, root};
use crate::support::{Home, Server};

/// The folders of fixtures, one for each version of the contract.
fn versions() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("tests/fixtures")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let versions: Vec<_> = paths.filter(|path| path.is_dir()).collect();
    assert!(versions.iter().any(|path| path.ends_with("0.1.0")), "{versions:?}");
    versions
}

/// A home with the policies of one version, and without their cases.
fn home(version: &PathBuf) -> std::sync::Arc<Home> {
    let home = Home::without_policies();
    for file in fs::read_dir(version).unwrap() {
        let (path, name) = (file.as_ref().unwrap().path(), file.unwrap().file_name());
        let name = name.to_str().unwrap();
        if !name.ends_with(".cases.toml") {
            fs::copy(&path, home.policy(name)).unwrap();
        }
    }
    home
}

#[test]
fn every_plugin_of_every_released_version_answers_as_it_did() {
    let mut tested = 0;
    for version in versions() {
        for file in fs::read_dir(&version).unwrap() {
            let component = file.unwrap().path();
            if component.extension().is_some_and(|extension| extension == "wasm") {
                let cases = component.with_extension("cases.toml");
                let (component, cases) = (component.to_str().unwrap(), cases.to_str().unwrap());
                let shown = good(plugin(&["test", component, "--cases", cases]));
                assert!(shown.contains(" cases passed"), "{component}: {shown}");
                tested += 1;
            }
        }
    }
    assert!(tested >= 5, "{tested} plugins were tested");
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_of_the_first_version_decide_in_a_service_of_today() {
    let version = versions().into_iter().find(|path| path.ends_with("0.1.0")).unwrap();
    let server = Server::start(&home(&version)).await;
    let policies = server.get("/v1/policies").await.expect(200);
    assert_eq!(policies["rejected"], json!([]));
    assert_eq!(policies["policies"].as_array().unwrap().len(), 5, "{policies}");

    let call = |model: &str| {
        json!({
            "subject": "ann", "provider": "gemini", "model": model,
            "usage": { "input_tokens": 1000, "output_tokens": 200 },
        })
    };
    let refused = server.post("/v1/check", &call("gemini-2.5-pro")).await.expect(200);
    assert_eq!(refused["allowed"], false, "{refused}");
    assert_eq!(refused["denied"]["reason"], "model_not_in_plan", "{refused}");
    let used = server.post("/v1/usage", &call("gemini-2.5-flash")).await.expect(201);
    assert_eq!(used["cost"], "0.0002", "{used}");
    assert_eq!(used["alerts"][0]["threshold_percentage"], 50, "{used}");
    let allowed = server.post("/v1/check", &call("gemini-2.5-flash")).await.expect(200);
    assert_eq!(allowed["allowed"], true, "{allowed}");
    let search = json!({ "subject": "bob", "provider": "exa", "usage": { "searches": 1 } });
    let search = server.post("/v1/usage", &search).await.expect(201);
    assert_eq!(search["cost"], "0.0055", "{search}");
    server.post("/v1/usage", &call("gemini-2.5-flash")).await.expect(201);
    let full = server.post("/v1/check", &call("gemini-2.5-flash")).await.expect(200);
    assert_eq!(full["allowed"], false, "{full}");
}
