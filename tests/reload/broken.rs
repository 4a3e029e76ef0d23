use std::fs;

use serde_json::json;

use super::{TIERS, check, policies, rejection, text, use_up_free_calls};
use crate::support::{CLOCK_START, Home, Server, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_manifest_changes_nothing_and_says_why() {
    let server = Server::start(&Home::new()).await;
    use_up_free_calls(&server, "ann").await;
    let before = policies(&server).await;

    server.home.edit(TIERS, "limit = 100 }", "limit = \"many\" }");
    let rejected =
        eventually("the manifest is rejected", async || rejection(&server, "standard-tiers").await)
            .await;
    assert!(text(&rejected["reason"]).contains("limit"), "{rejected}");
    assert!(server.log().contains("standard-tiers"), "{}", server.log());
    let note = server.home.policy("standard-tiers.rejected.txt");
    assert!(fs::read_to_string(&note).unwrap().contains("limit"));
    let during = policies(&server).await;
    assert_eq!(during["revision"], before["revision"]);
    assert_eq!(check(&server, "ann").await["quotas"][0]["limit"], "100");

    server.home.edit(TIERS, "limit = \"many\" }", "limit = 102 }");
    eventually("the mended manifest is taken", async || {
        (check(&server, "ann").await["quotas"][0]["limit"] == "102").then_some(())
    })
    .await;
    assert_eq!(policies(&server).await["rejected"], json!([]));
    assert!(!note.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_hinders_no_other_change_and_heals_when_deleted() {
    let server = Server::start(&Home::new()).await;
    let broken = server.home.policy("extra.toml");
    fs::write(&broken, "kind = ").unwrap();
    eventually("the file is rejected", async || rejection(&server, "extra").await).await;

    server.home.edit(TIERS, "limit = 100 }", "limit = 103 }");
    eventually("the other change is taken", async || {
        (check(&server, "ann").await["quotas"][0]["limit"] == "103").then_some(())
    })
    .await;

    fs::remove_file(broken).unwrap();
    eventually("the rejection is forgotten", async || {
        rejection(&server, "extra").await.is_none().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_policies_says_so_until_they_come() {
    let server = Server::launch(&Home::without_policies(), CLOCK_START);
    assert_eq!(server.get("/healthz").await.status, 200);
    let unready = server.get("/readyz").await;
    assert_eq!(unready.status, 503);
    assert!(unready.text.contains("polic"), "{}", unready.text);

    server.home.bring_policies();
    eventually("the service is ready", async || {
        (server.get("/readyz").await.status == 200).then_some(())
    })
    .await;
    assert_eq!(check(&server, "ann").await["allowed"], true);
}
