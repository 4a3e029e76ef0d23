/// What was compiled is kept, and believed only if it is what was kept.
mod compiled;
/// Plans and prices that are changed over HTTP.
mod documents;
/// Revisions that were active, and going back to them.
mod history;
/// `/metrics`, `tollgate policies`, and the inputs on which policies failed.
mod seeing;
/// Candidates that run beside the active version.
mod shadow;

use serde_json::{Value, json};

use crate::support::Client;

const TIERS: &str = "standard-tiers.toml";

async fn policies(client: &Client) -> Value {
    client.get("/v1/policies").await.expect(200)
}

async fn revision(client: &Client) -> String {
    policies(client).await["revision"].as_str().unwrap().to_owned()
}

/// The limit of a subject's Gemini calls.
async fn limit(client: &Client, subject: &str) -> String {
    let call = json!({ "subject": subject, "provider": "gemini", "model": "gemini-2.5-flash" });
    let check = client.post("/v1/check", &call).await.expect(200);
    check["quotas"][0]["limit"].as_str().unwrap().to_owned()
}
