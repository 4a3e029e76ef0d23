use std::fs;

use serde_json::{Value, json};

use super::quote;
use crate::support::{Home, Server};

/// Images by size and quality, as providers sell them.
const IMAGES: &str = r#"
[[prices]]
provider = "easel"
model = "easel-1"
each = { images = "0.04" }

[[prices]]
provider = "easel"
model = "easel-1"
metadata = { size = ["1024x1792", "1792x1024"] }
each = { images = "0.08" }

[[prices]]
provider = "easel"
model = "easel-1"
metadata = { size = ["1024x1792", "1792x1024"], quality = "hd" }
each = { images = "0.12" }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_quoted_by_its_size_and_quality_as_it_is_recorded() {
    let home = Home::new();
    fs::write(home.policy("prices/easel.toml"), IMAGES).unwrap();
    let server = Server::start(&home).await;
    server.subscribe("painter", "pro").await;
    for (metadata, cost) in [
        (json!({}), "0.08"),
        (json!({"size": "1024x1024", "quality": "hd"}), "0.08"),
        (json!({"size": "1792x1024"}), "0.16"),
        (json!({"size": "1024x1792", "quality": "hd", "team": "ml"}), "0.24"),
    ] {
        let mut call = json!({"subject": "painter", "provider": "easel", "model": "easel-1",
            "usage": {"images": 2}, "metadata": metadata});
        assert_eq!(quote(&server, &call).await.expect(200)["cost"], cost, "{call}");
        assert_eq!(server.post("/v1/usage", &call).await.expect(201)["cost"], cost, "{call}");
        call["metadata"]["team"] = json!("x".repeat(257));
        let problem = quote(&server, &call).await.problem(400);
        assert!(problem["errors"][0]["pointer"].as_str().unwrap().starts_with("/metadata"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_prices_is_counted_by_provider_once() {
    let server = Server::start(&Home::new()).await;
    let call = |provider: &str, model: &str| {
        json!({"subject": "ann", "provider": provider, "model": model,
            "usage": {"input_tokens": 1}})
    };
    let named = |mut call: Value, id: &str| {
        call["event_id"] = json!(id);
        call
    };
    let tomorrow = named(call("gemini", "gemini-of-tomorrow"), "a");
    server.post("/v1/usage", &tomorrow).await.expect(201);
    server.post("/v1/usage", &tomorrow).await.expect(200);
    let list = json!([
        call("gemini", "gemini-of-tomorrow"),
        call("gemini", "gemini-2.5-flash"),
        call("of-nobody", "any"),
    ]);
    assert_eq!(server.post("/v1/usage", &list).await.expect(200)["accepted"], 3);
    let mut given = call("of-nobody", "any");
    given["cost"] = json!("1");
    server.post("/v1/usage", &given).await.expect(201);

    // Another model answers than was held for.
    let held = server.post("/v1/reservations", &call("gemini", "gemini-2.5-flash")).await;
    let id = held.expect(201)["reservation_id"].as_str().unwrap().to_owned();
    let settle = format!("/v1/reservations/{id}/settle");
    let settlement = json!({"usage": {"input_tokens": 1}, "model": "gemini-of-tomorrow"});
    for _ in 0..2 {
        assert_eq!(server.post(&settle, &settlement).await.expect(200)["unpriced"], true);
    }

    let metrics = server.get("/metrics").await.text;
    let counts: Vec<_> =
        metrics.lines().filter(|line| line.starts_with("tollgate_unpriced_events_total")).collect();
    assert_eq!(
        counts,
        [
            "tollgate_unpriced_events_total{provider=\"gemini\"} 3",
            "tollgate_unpriced_events_total{provider=\"of-nobody\"} 1",
        ]
    );
}
