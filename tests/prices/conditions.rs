use std::fs;

use serde_json::json;

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
