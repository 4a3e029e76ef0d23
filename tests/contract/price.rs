use serde_json::{Value, json};

use super::COST;
use crate::support::shared;

fn question(member: &str, value: Value) -> Value {
    let mut question = json!({ "provider": "gemini", "model": "gemini-2.5-flash" });
    question[member] = value;
    question
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_prices_a_usage_or_what_a_provider_answered() {
    let server = shared().await;
    let usage = json!({ "input_tokens": 1_000, "output_tokens": 500 });
    let response =
        json!({ "usageMetadata": { "promptTokenCount": 1_000, "candidatesTokenCount": 500 } });
    for question in [question("usage", usage), question("response", response)] {
        let quote = server.post("/v1/quote", &question).await.expect(200);
        assert_eq!(quote["cost"], COST, "{quote}");
        assert_eq!(
            (&quote["input_cost"], &quote["output_cost"]),
            (&json!("0.000125"), &json!("0.0001875"))
        );
        assert_eq!(quote["charges"].as_array().map(Vec::len), Some(2), "{quote}");
        assert_eq!(quote["usage"]["input_tokens"], 1_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_price_is_not_found_and_an_answer_without_usage_is_not_zero() {
    let server = shared().await;
    let usage = json!({ "input_tokens": 1 });
    let unknown = json!({ "provider": "gemini", "model": "gemini-of-tomorrow", "usage": usage });
    server.post("/v1/quote", &unknown).await.problem(404);
    server.post("/v1/quote", &question("response", json!({ "text": "hello" }))).await.problem(422);
    let zeros = json!({ "usageMetadata": { "promptTokenCount": 0, "candidatesTokenCount": 0 } });
    let quote = server.post("/v1/quote", &question("response", zeros)).await.expect(200);
    assert_eq!(quote["cost"], "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_price_list_gives_each_price_exactly_and_can_be_narrowed() {
    let server = shared().await;
    let list = server.get("/api/subscription/pricing?provider=gemini").await.data();
    let gemini = list["pricing"].as_array().unwrap();
    assert_eq!(list["total"], gemini.len());
    assert!(gemini.iter().all(|price| price["provider"] == "gemini"), "{list}");
    let flash = gemini.iter().find(|price| price["model_name"] == "gemini-2.5-flash").unwrap();
    assert_eq!(flash["cost_per_input_token"].to_string(), "0.000000125");
    assert_eq!(flash["cost_per_output_token"].to_string(), "0.000000375");
    let all = server.get("/api/subscription/pricing").await.data();
    assert!(all["total"].as_u64() > list["total"].as_u64());
    let providers = all["pricing"].as_array().unwrap().iter().map(|price| &price["provider"]);
    for provider in ["gemini", "openai", "anthropic", "mistral", "tavily", "serper", "metaphor"] {
        assert!(providers.clone().any(|listed| listed == provider), "{provider}");
    }
}
