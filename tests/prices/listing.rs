use std::fs;

use serde_json::{Value, json};

use super::quote;
use crate::support::{Home, Server};

const NIGHT_OWL: &str = r#"
[[prices]]
provider = "night-owl"
model = "owl-1"
description = "Owl"
context_window = 1_000_000
max_output_tokens = 64_000
per_million = { input_tokens = "1", cache_read_tokens = "0.1", output_tokens = "4" }
each = { web_searches = "0.01" }
tiers = [{ above = 200_000, per_million = { input_tokens = "2", output_tokens = "6" } }]

[[prices]]
provider = "night-owl"
model = "owl-1"
hours = "16:30-00:30"
per_million = { input_tokens = "0.5", output_tokens = "2" }
effective_date = "2026-01-01"

[[prices]]
provider = "night-owl"
model = "owl-1"
service_tier = ["batch", "flex"]
region = "eu"
metadata = { priority = ["low", "lowest"] }
per_million = { input_tokens = "0.25", output_tokens = "0" }
"#;

async fn rows(server: &Server) -> Vec<Value> {
    let list = server.get("/api/subscription/pricing?provider=night-owl").await.data();
    list["pricing"].as_array().unwrap().clone()
}

async fn night_owl() -> Server {
    let home = Home::new();
    fs::write(home.policy("prices/night-owl.toml"), NIGHT_OWL).unwrap();
    Server::start(&home).await
}

/// Numbers by their digits.
fn digits(value: &Value) -> String {
    value.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_price_list_gives_tiers_hours_conditions_and_fees_as_data() {
    let server = night_owl().await;
    let rows = rows(&server).await;
    let [whole, nightly, batch] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(digits(&whole["cost_per_input_token"]), "0.000001");
    assert_eq!(
        digits(&whole["other_rates"]),
        r#"{"cache_read_tokens":0.0000001,"web_searches":0.01}"#
    );
    assert_eq!(
        digits(&whole["tiers"]),
        r#"[{"above_input_tokens":200000,"rates":{"input_tokens":0.000002,"output_tokens":0.000006}}]"#
    );
    assert_eq!(
        (&whole["context_window"], &whole["max_output_tokens"]),
        (&json!(1000000), &json!(64000))
    );
    for absent in ["hours", "service_tier", "region", "metadata"] {
        assert!(whole.get(absent).is_none(), "{absent} of {whole}");
    }
    assert_eq!(nightly["hours"], json!({"from": "16:30", "to": "00:30"}));
    assert_eq!(nightly["effective_date"], "2026-01-01T00:00:00Z");
    assert_eq!((&nightly["tiers"], &nightly["other_rates"]), (&json!([]), &json!({})));
    assert_eq!(batch["service_tier"], json!(["batch", "flex"]));
    assert_eq!(batch["region"], json!(["eu"]));
    assert_eq!(batch["metadata"], json!({"priority": ["low", "lowest"]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_was_read_can_be_changed_and_written_back_with_all_it_says() {
    let server = Server::start(&Home::new()).await;
    let path = "/api/subscription/pricing/owls/owl-2";
    let cost = async |more: Value| {
        let mut question = json!({"provider": "owls", "model": "owl-2",
            "at": "2026-08-10T20:00:00Z",
            "usage": {"input_tokens": 300_000, "output_tokens": 1_000, "web_searches": 2}});
        question.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        quote(&server, &question).await.expect(200)["cost"].as_str().unwrap().to_owned()
    };
    let whole = json!({"cost_per_input_token": 0.000001, "cost_per_output_token": 0.000004,
        "other_rates": {"web_searches": 0.01}, "effective_date": "2026-01-01",
        "tiers": [{"above_input_tokens": 200_000, "rates": {"input_tokens": 0.000002}}]});
    let row = server.put(path, &whole).await.data();
    assert_eq!(digits(&row["tiers"][0]["rates"]), r#"{"input_tokens":0.000002}"#);
    assert_eq!(cost(json!({})).await, "0.624");

    // Another price of the same model and day, under conditions, leaves the first as it is.
    let batch = json!({"cost_per_input_token": 0.0000001, "effective_date": "2026-01-01",
        "service_tier": "batch", "hours": {"from": "16:30", "to": "00:30"},
        "metadata": {"priority": ["low", "lowest"]}, "description": "By night"});
    let row = server.put(path, &batch).await.data();
    assert_eq!(row["service_tier"], json!(["batch"]), "{row}");
    let at_night = json!({"service_tier": "batch", "metadata": {"priority": "low"}});
    assert_eq!(cost(at_night.clone()).await, "0.03");
    assert_eq!(cost(json!({})).await, "0.624");

    let mut row = row;
    row["cost_per_input_token"] = serde_json::from_str("0.0000002").unwrap();
    let written = server.put(path, &row).await.data();
    assert_eq!(written, row, "nothing else has changed");
    assert_eq!(cost(at_night).await, "0.06");
    assert_eq!(cost(json!({})).await, "0.624");

    let wrong = json!({"cost_per_input_token": 1, "hours": {"from": "16:30", "to": "noon"}});
    let failure = server.put(path, &wrong).await.expect(400);
    assert!(failure.to_string().contains("/hours/to"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_costs_nothing_is_free_and_not_unpriced() {
    let server = Server::start(&Home::new()).await;
    let free = json!({"cost_per_input_token": 0, "cost_per_output_token": 0});
    server.put("/api/subscription/pricing/owls/gratis", &free).await.data();
    let question = json!({"provider": "owls", "model": "gratis", "usage": {"input_tokens": 9}});
    let quoted = quote(&server, &question).await.expect(200);
    assert_eq!(
        (&quoted["cost"], quoted["charges"].as_array().map(Vec::len)),
        (&json!("0"), Some(1))
    );
}
