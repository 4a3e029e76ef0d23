use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};

use super::quote;
use crate::support::{Home, Server, eventually};

/// A catalogue as `tollgate prices import` makes them.
const IMPORTED: &str = r#"
[[providers]]
id = "google"
aliases = ["gemini"]
snapshots = false

[[prices]]
provider = "google"
model = "gemini-2.5-flash"
match = ["gemini-2.5-flash", "gemini-2.5-flash-*"]
per_million = { input_tokens = "0.3", output_tokens = "2.5" }

[[prices]]
provider = "openai"
model = "gpt-4o"
match = ["gpt-4o", "gpt-4o-*"]
context_window = 1_000
per_million = { input_tokens = "2.5" }

[[prices]]
provider = "openai"
model = "gpt-4o"
match = ["gpt-4o", "gpt-4o-*"]
service_tier = "batch"
per_million = { input_tokens = "1.25" }
"#;

fn home() -> Arc<Home> {
    let home = Home::new();
    fs::create_dir_all(home.policy("prices")).unwrap();
    fs::write(home.policy("prices/genai-prices.toml"), IMPORTED).unwrap();
    home
}

/// What a million tokens cost.
async fn cost(server: &Server, provider: &str, model: &str) -> String {
    under(server, provider, model, json!({})).await
}

async fn under(server: &Server, provider: &str, model: &str, more: Value) -> String {
    let mut question =
        json!({"provider": provider, "model": model, "usage": {"input_tokens": 1_000_000}});
    question.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = quote(server, &question).await;
    match answer.status.as_u16() {
        404 => "unpriced".into(),
        _ => answer.expect(200)["cost"].as_str().unwrap().to_owned(),
    }
}

async fn put(server: &Server, place: &str, price: &Value) {
    server.put(&format!("/api/subscription/pricing/{place}"), price).await.data();
}

/// US dollars for a million tokens that go in.
fn price(dollars: &str) -> Value {
    serde_json::from_str(&format!("{{\"cost_per_input_token\": {dollars}e-6}}")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_catalogue_goes_before_what_is_shipped_also_under_another_name() {
    let server = Server::start(&home()).await;
    for provider in ["google", "gemini"] {
        assert_eq!(cost(&server, provider, "gemini-2.5-flash").await, "0.3", "{provider}");
    }
    // What it does not have is as it is shipped.
    assert_eq!(cost(&server, "gemini", "gemini-2.0-flash-lite").await, "0.075");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_is_set_goes_before_every_catalogue_for_its_provider_and_model_alone() {
    let server = Server::start(&home()).await;
    put(&server, "openai/gpt-4o", &price("7")).await;
    put(&server, "gemini/gemini-2.5-flash", &price("9")).await;
    for (provider, model, costs) in [
        ("openai", "gpt-4o", "7"),
        ("openai", "GPT-4o", "7"),
        ("openai", "gpt-4o-2024-08-06", "2.5"),
        ("openai", "gpt-4o-mini-of-theirs", "2.5"),
        ("gemini", "gemini-2.5-flash", "9"),
        ("google", "gemini-2.5-flash", "0.3"),
        ("gemini", "gemini-2.5-flash-001", "0.3"),
        ("anthropic", "gpt-4o", "unpriced"),
    ] {
        assert_eq!(cost(&server, provider, model).await, costs, "{provider}/{model}");
    }
    put(&server, "openai/gpt-4o", &price("8")).await;
    assert_eq!(cost(&server, "openai", "gpt-4o").await, "8");

    // Also when the catalogue changes, and after a restart.
    let home = server.home.clone();
    let dearer = IMPORTED.replace("2.5\" }", "3.5\" }");
    fs::write(home.policy("prices/genai-prices.toml"), dearer).unwrap();
    eventually("the catalogue is taken over", async || {
        (cost(&server, "openai", "gpt-4o-2024-08-06").await == "3.5").then_some(())
    })
    .await;
    assert_eq!(cost(&server, "openai", "gpt-4o").await, "8");
    server.kill();
    let server = Server::start(&home).await;
    assert_eq!(cost(&server, "openai", "gpt-4o").await, "8");
    assert_eq!(cost(&server, "openai", "gpt-4o-2024-08-06").await, "3.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_price_that_is_set_does_not_hold_the_catalogues_do() {
    let server = Server::start(&home()).await;
    let batch = json!({"service_tier": "batch"});
    let mut later = price("7");
    later["effective_date"] = json!("2026-12-01");
    put(&server, "openai/gpt-4o", &later).await;
    assert_eq!(cost(&server, "openai", "gpt-4o").await, "2.5");
    let then = json!({"at": "2026-12-02T00:00:00Z"});
    assert_eq!(under(&server, "openai", "gpt-4o", then).await, "7");

    let mut flex = price("6");
    flex["service_tier"] = json!("flex");
    put(&server, "openai/gpt-4o", &flex).await;
    assert_eq!(cost(&server, "openai", "gpt-4o").await, "2.5");
    assert_eq!(under(&server, "openai", "gpt-4o", json!({"service_tier": "flex"})).await, "6");
    assert_eq!(under(&server, "openai", "gpt-4o", batch.clone()).await, "1.25");

    // The catalogue's price under a condition goes on, until one is set under that condition.
    put(&server, "openai/gpt-4o", &price("5")).await;
    assert_eq!(cost(&server, "openai", "gpt-4o").await, "5");
    assert_eq!(under(&server, "openai", "gpt-4o", batch.clone()).await, "1.25");
    let mut own = price("4");
    own["service_tier"] = json!("batch");
    put(&server, "openai/gpt-4o", &own).await;
    assert_eq!(under(&server, "openai", "gpt-4o", batch).await, "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_nobody_prices_falls_to_the_family_whose_price_is_set() {
    let server = Server::start(&home()).await;
    put(&server, "openai/o9", &price("3")).await;
    assert_eq!(cost(&server, "openai", "o9-2026-08-06").await, "3");
    assert_eq!(cost(&server, "openai", "o9-mini").await, "unpriced");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_price_list_begins_with_prices_that_are_set_and_leaves_out_what_they_replace() {
    let server = Server::start(&Home::new()).await;
    let rows = async || {
        let list = server.get("/api/subscription/pricing?provider=gemini").await.data();
        let rows = list["pricing"].as_array().unwrap().clone();
        let named = |row: &Value| row["model_name"] == "gemini-2.5-flash";
        let lines: Vec<_> = rows.iter().filter(|row| named(row)).cloned().collect();
        (rows.len(), rows[0]["model_name"].clone(), lines)
    };
    let (all, _, before) = rows().await;
    assert_eq!(before.len(), 1);
    let mut same_day = before[0].clone();
    same_day["cost_per_input_token"] = serde_json::from_str("0.000001").unwrap();
    put(&server, "gemini/gemini-2.5-flash", &same_day).await;
    let (after, first, lines) = rows().await;
    assert_eq!((after, &first), (all, &json!("gemini-2.5-flash")));
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["cost_per_input_token"].to_string(), "0.000001");
}
