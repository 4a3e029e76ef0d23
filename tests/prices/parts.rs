use std::fs;

use serde_json::json;

use super::quote;
use crate::support::{Home, Server, shared};

#[tokio::test(flavor = "multi_thread")]
async fn a_part_larger_than_its_total_is_an_error_that_names_both_priced_or_not() {
    let server = shared().await;
    for (model, usage, part, total) in [
        // Rated, not rated, and of a model that nobody prices.
        (
            "gemini-2.5-flash-lite",
            json!({"input_tokens": 5, "cache_read_tokens": 6}),
            "cache_read_tokens",
            "input_tokens",
        ),
        (
            "gemini-2.5-flash",
            json!({"input_tokens": 5, "input_audio_tokens": 6}),
            "input_audio_tokens",
            "input_tokens",
        ),
        (
            "gemini-of-tomorrow",
            json!({"output_tokens": 9, "output_image_tokens": 3,
                "output_image_reasoning_tokens": 4}),
            "output_image_reasoning_tokens",
            "output_image_tokens",
        ),
    ] {
        let call = json!({"subject": "parts", "provider": "gemini", "model": model,
            "usage": usage});
        let mut question = call.clone();
        question.as_object_mut().unwrap().remove("subject");
        for problem in [
            quote(&server, &question).await.problem(400),
            server.post("/v1/check", &call).await.problem(400),
            server.post("/v1/usage", &call).await.problem(400),
        ] {
            let told = problem.to_string();
            assert!(told.contains(part) && told.contains(total), "{problem}");
        }
    }
}

/// Its names do not tell that scent is part of the input.
const NOSE: &str = r#"
[[prices]]
provider = "nose"
per_million = { input_tokens = "1", output_tokens = "2" }

[[extractors]]
provider = "nose"
flavors = ["default"]
usage = { input_tokens = ["/in"], scents = ["/scents"], input_audio_tokens = ["/audio"] }

[quantities]
scents = { family = "tokens", direction = "input", modality = "smell" }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_catalogue_or_an_answer_tells_of_parts_is_held_to_its_total_too() {
    let home = Home::new();
    fs::write(home.policy("prices/nose.toml"), NOSE).unwrap();
    let server = Server::start(&home).await;
    for asked in [
        json!({"usage": {"input_tokens": 5, "scents": 6}}),
        json!({"response": {"in": 5, "scents": 6}}),
        json!({"response": {"in": 5, "audio": 6}}),
    ] {
        let mut question = json!({"provider": "nose"});
        question.as_object_mut().unwrap().extend(asked.as_object().unwrap().clone());
        let problem = quote(&server, &question).await.problem(400);
        let detail = problem["detail"].as_str().unwrap();
        let part =
            if asked.to_string().contains("audio") { "input_audio_tokens" } else { "scents" };
        assert!(detail.contains(&format!("{part} (6) is part of input_tokens (5)")), "{problem}");
    }
    let fits = json!({"provider": "nose", "response": {"in": 5, "scents": 5, "audio": 5}});
    assert_eq!(quote(&server, &fits).await.expect(200)["cost"], "0.000005");
    // What is held for unstated input is no less than its stated parts.
    let stated = json!({"subject": "ann", "provider": "nose", "usage": {"scents": 7},
        "max_tokens": 10});
    let checked = server.post("/v1/check", &stated).await.expect(200);
    assert_eq!(checked["estimated_cost"], "0.00002", "{checked}");
}
