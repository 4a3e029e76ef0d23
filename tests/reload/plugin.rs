use std::fs;
use std::time::Duration;

use super::{OLD_NANOS, policies, rejection, reserve_and_settle, text};
use crate::support::{Home, Server, eventually, eventually_within, usd};

/// The compiler makes way for whatever else the machine does.
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_plugin_takes_effect() {
    let server = Server::start(&Home::new()).await;
    let plugin = server.home.policy("token-pricing.wasm");
    let before = digest(&server, "token-pricing").await;

    // The same behaviour in other bytes: a custom section named `n` and nothing in it.
    let mut bytes = fs::read(&plugin).unwrap();
    bytes.extend([0, 2, 1, b'n']);
    fs::write(&plugin, bytes).unwrap();
    eventually_within(PATIENCE, "the new plugin is active", async || {
        (digest(&server, "token-pricing").await != before).then_some(())
    })
    .await;
    assert_eq!(reserve_and_settle(&server, "ann").await.cost, usd(OLD_NANOS));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_of_the_wrong_kind_or_cut_short_is_rejected_and_the_last_good_one_goes_on() {
    let server = Server::start(&Home::new()).await;
    let before = policies(&server).await["revision"].clone();
    let plugin = server.home.policy("token-pricing.wasm");
    let good = fs::read(&plugin).unwrap();
    let of_wrong_kind = fs::read(server.home.policy("threshold-alerts.wasm")).unwrap();
    let mut reasons = Vec::new();
    for bad in [&of_wrong_kind, &good[..good.len() / 2]] {
        fs::write(&plugin, bad).unwrap();
        let reason = eventually("the plugin is rejected for another reason", async || {
            let reason = text(&rejection(&server, "token-pricing").await?["reason"]);
            (!reasons.contains(&reason)).then_some(reason)
        })
        .await;
        reasons.push(reason);
        assert_eq!(reserve_and_settle(&server, "ann").await.cost, usd(OLD_NANOS));
    }
    fs::write(&plugin, &good).unwrap();
    eventually("the rejection is forgotten", async || {
        rejection(&server, "token-pricing").await.is_none().then_some(())
    })
    .await;
    assert_eq!(policies(&server).await["revision"], before);
}

async fn digest(server: &Server, name: &str) -> String {
    let policies = policies(server).await;
    let mut active = policies["policies"].as_array().unwrap().iter();
    text(&active.find(|policy| policy["name"] == name).unwrap()["plugin_digest"])
}
