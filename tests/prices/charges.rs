use std::fs;

use serde_json::{Value, json};

use super::quote;
use crate::support::{Home, Server};

/// What providers charge for, each by a model of its own.
const SHOP: &str = r#"
[[prices]]
provider = "shop"
model = "tokens"
[prices.per_million]
input_tokens = "1"
cache_read_tokens = "0.1"
cache_write_5m_tokens = "1.25"
cache_write_1h_tokens = "2"
input_audio_tokens = "10"
input_image_tokens = "20"
input_video_tokens = "30"
input_tool_tokens = "3"
output_tokens = "4"
output_reasoning_tokens = "5"
output_audio_tokens = "40"
output_image_tokens = "50"
output_video_tokens = "60"
# What is cached of sound and pictures costs as other cached tokens do.
cache_audio_read_tokens = "0.1"
cache_image_read_tokens = "0.1"

[[prices]]
provider = "shop"
model = "fees"
each = { calls = "0.01", seconds = "0.0001" }
per_million = { characters = "15" }

[[prices]]
provider = "shop"
model = "pictures"
each = { calls = "0.01", images = "0.04" }

[[prices]]
provider = "shop"
model = "searches"
per_thousand = { searches = "5" }
each = { calls = "0.01" }

[[prices]]
provider = "shop"
model = "pages"
each = { calls = "0.01", pages = "0.001" }

[[prices]]
provider = "shop"
model = "free"
each = { calls = "0" }

[[prices]]
provider = "shop"
model = "cliff"
per_million = { input_tokens = "1", output_tokens = "10" }
tiers = [{ above = 200_000, per_million = { input_tokens = "2", output_tokens = "15" } }]

[[prices]]
provider = "shop"
model = "dated"
each = { calls = "1" }
effective_date = "2025-01-01"

[[prices]]
provider = "shop"
model = "dated"
each = { calls = "2" }
effective_date = "2026-01-01"

[[prices]]
provider = "shop"
model = "night"
each = { calls = "4" }

[[prices]]
provider = "shop"
model = "night"
hours = "22:30-06:00"
each = { calls = "1" }

[[prices]]
provider = "shop"
model = "served"
each = { calls = "4" }

[[prices]]
provider = "shop"
model = "served"
service_tier = ["batch", "flex"]
each = { calls = "2" }

[[prices]]
provider = "shop"
model = "served"
service_tier = "priority"
each = { calls = "8" }

[[prices]]
provider = "shop"
model = "served"
region = "eu"
each = { calls = "5" }

[[extractors]]
provider = "shop"
flavors = ["increments"]
stream = "sum"
usage = { input_tokens = ["/in"], output_tokens = ["/out"] }
"#;

async fn shop() -> Server {
    let home = Home::new();
    fs::create_dir_all(home.policy("prices")).unwrap();
    fs::write(home.policy("prices/shop.toml"), SHOP).unwrap();
    Server::start(&home).await
}

async fn cost(server: &Server, model: &str, more: Value) -> Value {
    let mut question = json!({"provider": "shop", "model": model});
    question.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    quote(server, &question).await.expect(200)["cost"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_providers_charge_for_has_a_price() {
    let server = shop().await;
    const INPUT: u64 = 10_000_000;
    for (quantity, dollars) in [
        ("cache_read_tokens", "9.1"),
        ("cache_write_5m_tokens", "10.25"),
        ("cache_write_1h_tokens", "11"),
        ("input_audio_tokens", "19"),
        ("input_image_tokens", "29"),
        ("input_video_tokens", "39"),
        ("input_tool_tokens", "12"),
    ] {
        let usage = json!({"input_tokens": INPUT, quantity: 1_000_000});
        assert_eq!(cost(&server, "tokens", json!({ "usage": usage })).await, dollars, "{quantity}");
    }
    for (quantity, dollars) in [
        ("output_reasoning_tokens", "41"),
        ("output_audio_tokens", "76"),
        ("output_image_tokens", "86"),
        ("output_video_tokens", "96"),
    ] {
        let usage = json!({"output_tokens": INPUT, quantity: 1_000_000});
        assert_eq!(cost(&server, "tokens", json!({ "usage": usage })).await, dollars, "{quantity}");
    }
    for (model, quantity, amount, dollars) in [
        ("fees", "calls", 3, "0.03"),
        ("fees", "seconds", 90, "0.019"),
        ("fees", "characters", 1_001, "0.025015"),
        ("pictures", "images", 2, "0.09"),
        ("searches", "searches", 2, "0.02"),
        ("pages", "pages", 7, "0.017"),
        // A call that does not say what it is counts as one of what is priced.
        ("searches", "seconds", 1, "0.015"),
    ] {
        let usage = json!({ quantity: amount });
        assert_eq!(cost(&server, model, json!({ "usage": usage })).await, dollars, "{quantity}");
    }
    assert_eq!(cost(&server, "free", json!({"usage": {"input_tokens": 9}})).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_depends_on_size_date_hour_service_tier_and_region() {
    let server = shop().await;
    for (input, dollars) in [(200_000, "0.21"), (200_001, "0.415002")] {
        let usage = json!({"input_tokens": input, "output_tokens": 1_000});
        assert_eq!(cost(&server, "cliff", json!({ "usage": usage })).await, dollars);
    }
    let usage = json!({"calls": 1});
    for (model, more, dollars) in [
        ("dated", json!({"at": "2024-07-01T00:00:00Z"}), "1"),
        ("dated", json!({"at": "2025-12-31T23:59:59Z"}), "1"),
        ("dated", json!({"at": "2026-01-01T00:00:00Z"}), "2"),
        ("night", json!({"at": "2026-08-10T22:29:59Z"}), "4"),
        ("night", json!({"at": "2026-08-10T22:30:00Z"}), "1"),
        ("night", json!({"at": "2026-08-11T00:00:00Z"}), "1"),
        ("night", json!({"at": "2026-08-11T06:00:00Z"}), "4"),
        ("served", json!({}), "4"),
        ("served", json!({"service_tier": "batch"}), "2"),
        ("served", json!({"service_tier": "flex"}), "2"),
        ("served", json!({"service_tier": "priority"}), "8"),
        ("served", json!({"service_tier": "unheard"}), "4"),
        ("served", json!({"region": "eu"}), "5"),
        ("served", json!({"region": "us"}), "4"),
    ] {
        let mut asked = more.clone();
        asked["usage"] = usage.clone();
        assert_eq!(cost(&server, model, asked).await, dollars, "{model} {more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn increments_of_a_stream_add_up() {
    let server = shop().await;
    let chunks = json!([{"in": 1_000_000}, {"out": 250_000}, {"out": 750_000, "text": "Hi"}, {}]);
    let asked = json!({"response": chunks, "api_flavor": "increments"});
    assert_eq!(cost(&server, "tokens", asked).await, "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_all_providers_of_the_seed_are_read_as_they_are_shipped() {
    let server = crate::support::shared().await;
    let chat = json!({"usage": {"prompt_tokens": 7, "completion_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 2}}});
    let openai_like = json!({"input_tokens": 7, "output_tokens": 3, "cache_read_tokens": 2});
    for (provider, flavor, model, response, usage) in [
        (
            "gemini",
            "default",
            "gemini-2.5-flash",
            json!({"usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3}}),
            json!({"input_tokens": 7, "output_tokens": 3}),
        ),
        ("openai", "chat", "gpt-4o", chat.clone(), openai_like.clone()),
        (
            "anthropic",
            "default",
            "claude-sonnet-4-5",
            json!({"usage": {"input_tokens": 7, "cache_read_input_tokens": 2, "output_tokens": 3}}),
            json!({"input_tokens": 9, "output_tokens": 3, "cache_read_tokens": 2}),
        ),
        ("mistral", "default", "mistral-large-latest", chat.clone(), openai_like.clone()),
        ("tavily", "default", "", json!({"usage": {"credits": 2}}), json!({"searches": 2})),
        ("tavily", "default", "", json!({"results": []}), json!({"searches": 1})),
        ("serper", "default", "", json!({"credits": 2}), json!({"searches": 2})),
        ("metaphor", "default", "", json!({"results": []}), json!({"searches": 1})),
        ("exa", "default", "", json!({"results": []}), json!({"searches": 1})),
        ("exa", "contents", "", json!({"results": [{}, {}]}), json!({"pages": 2})),
        ("firecrawl", "default", "", json!({"creditsUsed": 5}), json!({"pages": 5})),
        ("firecrawl", "default", "", json!({"data": {}}), json!({"pages": 1})),
        (
            "stability",
            "default",
            "sd3.5-large",
            json!({"artifacts": [{}, {}, {}]}),
            json!({"images": 3}),
        ),
    ] {
        let mut question =
            json!({"provider": provider, "api_flavor": flavor, "response": response});
        if !model.is_empty() {
            question["model"] = json!(model);
        }
        let quoted = quote(&server, &question).await.expect(200);
        assert_eq!(json!(super::used(&quoted["usage"])), usage, "{question}");
        assert_ne!(quoted["cost"], "0", "{question}");
    }
}
