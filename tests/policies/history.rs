use std::fs;

use serde_json::{Value, json};

use super::{TIERS, limit, policies, revision};
use crate::support::{Home, Server, eventually, tollgate};

async fn history(server: &Server) -> Vec<Value> {
    let revisions = server.get("/v1/policies/revisions").await.expect(200);
    revisions["revisions"].as_array().unwrap().clone()
}

/// Edits the free plan's limit, and waits for it.
async fn edit(server: &Server, from: &str, to: &str) -> String {
    let text = |limit: &str| format!("limit = {limit} }}");
    server.home.edit(TIERS, &text(from), &text(to));
    eventually("the limit is another", async || (limit(server, "ann").await == to).then_some(()))
        .await;
    revision(server).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_goes_back_and_stays_there_until_the_file_changes() {
    let server = Server::start(&Home::new()).await;
    let first = revision(&server).await;
    let second = edit(&server, "100", "7").await;

    let back = server.post("/v1/policies/rollback", &json!({ "revision": first })).await;
    let back = back.expect(200);
    assert_eq!(back["revision"], first);
    assert_eq!(back["rejected"][0]["name"], "standard-tiers");
    assert_eq!(limit(&server, "ann").await, "100");
    let reloaded = server.post("/v1/policies/reload", &json!({})).await.expect(200);
    assert_eq!(reloaded["revision"], first, "a reload does not undo it");

    let told = history(&server).await;
    let steps: Vec<_> = told.iter().map(|step| (&step["revision"], &step["cause"])).collect();
    let (first, second) = (json!(first), json!(second));
    let [folder, rollback] = [json!("folder"), json!("rollback")];
    assert_eq!(steps, [(&first, &rollback), (&second, &folder), (&first, &folder)]);
    assert_eq!(told[0]["active"], true);
    assert_eq!(told[0]["held"], json!(["standard-tiers"]));

    let third = edit(&server, "7", "8").await;
    assert_eq!(policies(&server).await["rejected"], json!([]));
    assert_ne!(json!(third), second);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_read_page_by_page() {
    let server = Server::start(&Home::new()).await;
    for (from, to) in [("100", "7"), ("7", "8"), ("8", "9")] {
        edit(&server, from, to).await;
    }
    let all = history(&server).await;
    let steps: Vec<_> = all.iter().map(|step| step["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [3, 2, 1, 0]);
    assert_eq!(all.iter().filter(|step| step["active"] == true).count(), 1);

    let (mut read, mut before) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/policies/revisions?limit=3{before}");
        let page = server.get(&path).await.expect(200);
        read.extend(page["revisions"].as_array().unwrap().clone());
        before = format!("&before={}", read.last().unwrap()["step"]);
        if page["has_more"] == false {
            break;
        }
    }
    assert_eq!(read, all, "each once, as in one page");
    let beyond = server.get("/v1/policies/revisions?before=0").await.expect(200);
    assert_eq!((&beyond["revisions"], &beyond["has_more"]), (&json!([]), &json!(false)));
    for wrong in ["x", "-1", ""] {
        let path = format!("/v1/policies/revisions?before={wrong}");
        let problem = server.get(&path).await.problem(400);
        assert_eq!(problem["errors"][0]["pointer"], "/before");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_goes_on_from_what_was_active_when_the_folder_is_gone() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let first = revision(&server).await;
    edit(&server, "100", "7").await;
    server.post("/v1/policies/rollback", &json!({ "revision": first })).await.expect(200);
    server.kill();

    let server = Server::start(&home).await;
    assert_eq!((revision(&server).await, limit(&server, "ann").await), (first, "100".into()));
    let second = history(&server).await[1]["revision"].clone();
    server.terminate();
    server.ended().await;

    fs::remove_dir_all(home.policy("")).unwrap();
    let server = Server::start(&home).await;
    let before = history(&server).await.len();
    server.post("/v1/policies/rollback", &json!({ "revision": second })).await.expect(200);
    assert_eq!(limit(&server, "ann").await, "7", "its bytes were kept");
    assert_eq!(history(&server).await.len(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_has_every_revision() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let first = revision(&server).await;
    edit(&server, "100", "7").await;
    server.terminate();
    server.ended().await;

    let backup = home.path().join("backup");
    let run = |args: &[&str]| {
        let out = tollgate().args(args).current_dir(home.path()).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    run(&["backup", "--output", backup.to_str().unwrap()]);
    fs::rename(home.path().join("data"), home.path().join("lost")).unwrap();
    run(&["restore", "--from", backup.to_str().unwrap()]);

    let server = Server::start(&home).await;
    assert_eq!(limit(&server, "ann").await, "7");
    server.post("/v1/policies/rollback", &json!({ "revision": first })).await.expect(200);
    assert_eq!(limit(&server, "ann").await, "100");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_gone_back_to_is_said() {
    let server = Server::start(&Home::new()).await;
    let unknown = server.post("/v1/policies/rollback", &json!({ "revision": "00ff" })).await;
    assert_eq!(unknown.problem(404)["detail"], "there is no revision `00ff`");
    let nothing = server.post("/v1/policies/rollback", &json!({})).await.problem(400);
    assert_eq!(nothing["errors"][0]["pointer"], "/revision");
    server.get("/v1/policies/revisions?limit=0").await.problem(400);
}
