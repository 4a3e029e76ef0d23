use serde_json::{Value, json};

use super::{TIERS, limit, policies, revision};
use crate::support::{Home, Server, eventually};

const PRICES: &str = "token-pricing.toml";

/// Puts a stage into a manifest, together with what is to be tried.
async fn stage(server: &Server, manifest: &str, stage: &str, old: &str, new: &str) {
    server.home.edit(manifest, old, new);
    let kind = if manifest == TIERS { "kind = \"tier\"" } else { "kind = \"pricing\"" };
    server.home.edit(manifest, kind, &format!("{kind}\n{stage}"));
    server.post("/v1/policies/reload", &json!({})).await.expect(200);
}

async fn state(server: &Server, name: &str) -> Vec<String> {
    let policies = policies(server).await;
    let all = policies["policies"].as_array().unwrap().iter();
    let own = all.filter(|policy| policy["name"] == name);
    own.map(|policy| policy["state"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_of_the_prices_tells_which_calls_would_cost_something_else() {
    let server = Server::start(&Home::new()).await;
    server.get("/v1/policies/token-pricing/shadow").await.problem(404);
    let before = revision(&server).await;
    let (old, new) = ("output_tokens = \"0.375\"", "output_tokens = \"0.5\"");
    stage(&server, PRICES, "stage = \"shadow\"", old, new).await;
    assert_eq!(revision(&server).await, before);
    assert_eq!(state(&server, "token-pricing").await, ["active", "shadow"]);

    let record = async |output_tokens: u64| {
        let usage = json!({ "input_tokens": 1_000, "output_tokens": output_tokens });
        let used = json!({
            "subject": "ann", "provider": "gemini", "model": "gemini-2.5-flash", "usage": usage,
        });
        server.post("/v1/usage", &used).await.expect(201)["cost"].clone()
    };
    assert_eq!(record(0).await, "0.000125");
    assert_eq!(record(1_000).await, "0.0005");
    let shadow = eventually("both calls are compared", async || {
        let shadow = server.get("/v1/policies/token-pricing/shadow").await.expect(200);
        (shadow["compared"] == 2).then_some(shadow)
    })
    .await;
    assert_eq!((&shadow["agreed"], &shadow["differed"]), (&json!(1), &json!(1)));
    let example = &shadow["differing"][0];
    let cost = |of: &Value| of["quote"]["Ok"]["cost"].clone();
    assert_eq!(
        (cost(&example["active"]), cost(&example["candidate"])),
        (json!("0.0005"), json!("0.000625"))
    );
    assert_eq!(example["subject"], "ann");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_of_the_plans_decides_for_its_part_and_says_by_which_revision() {
    let server = Server::start(&Home::new()).await;
    let before = revision(&server).await;
    let canary = "stage = \"canary\"\npercent = 50";
    stage(&server, TIERS, canary, "limit = 100 }", "limit = 50 }").await;
    assert_eq!(state(&server, "standard-tiers").await, ["active", "canary"]);
    let mut limits = Vec::new();
    for i in 0..40 {
        let subject = format!("tenant-{i}");
        let limit = limit(&server, &subject).await;
        let call = json!({ "subject": subject, "provider": "gemini", "usage": { "calls": 1 } });
        let check = server.post("/v1/check", &call).await.expect(200);
        assert_eq!(check["revision"] == before.as_str(), limit == "100");
        limits.push(limit);
    }
    let canaries = limits.iter().filter(|limit| *limit == "50").count();
    assert!((5..35).contains(&canaries), "{canaries} of 40");
    assert_eq!(canaries + limits.iter().filter(|limit| *limit == "100").count(), 40);

    // Taken away again: everybody has what everybody had.
    server.home.edit(TIERS, &format!("\n{canary}"), "");
    server.home.edit(TIERS, "limit = 50 }", "limit = 100 }");
    server.post("/v1/policies/reload", &json!({})).await.expect(200);
    for i in 0..40 {
        assert_eq!(limit(&server, &format!("tenant-{i}")).await, "100");
    }
}
