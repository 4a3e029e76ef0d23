use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::{Home, Server};

/// A home whose prices estimate so.
fn estimating(how: &str) -> Arc<Home> {
    let home = Home::new();
    let path = home.policy("token-pricing.toml");
    let manifest = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("{manifest}\n[config.estimates]\n{how}\n")).unwrap();
    home
}

fn call(subject: &str, model: &str, more: Value) -> Value {
    let mut call = json!({"subject": subject, "provider": "gemini", "model": model});
    call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    call
}

async fn estimated(server: &Server, call: &Value) -> Value {
    server.post("/v1/check", call).await.expect(200)["estimated_cost"].clone()
}

/// Records calls that used so much.
async fn used(server: &Server, subject: &str, at: &str, calls: &[(u64, u64)]) {
    for (input, output) in calls {
        let usage = json!({"input_tokens": input, "output_tokens": output});
        let event = call(subject, "gemini-2.5-flash", json!({"usage": usage, "occurred_at": at}));
        server.post("/v1/usage", &event).await.expect(201);
    }
}

const FLASH: &str = "gemini-2.5-flash";
const TODAY: &str = "2026-08-10T11:00:00Z";

#[tokio::test(flavor = "multi_thread")]
async fn unstated_tokens_are_guessed_from_what_the_subject_used_on_average_lately() {
    let how = "input_tokens = [\"average\"]\noutput_tokens = [\"average\", 100]";
    let server = Server::start(&estimating(how)).await;
    server.subscribe("ann", "pro").await;
    server.subscribe("acme", "pro").await;
    // Nothing is known of her yet: 100 tokens come out, and what goes in is not known.
    assert_eq!(estimated(&server, &call("ann", FLASH, json!({}))).await, "0.0000375");
    used(&server, "ann", TODAY, &[(1_000, 500), (2_001, 700)]).await;
    for (call, cost) in [
        // 1,500.5 in, of which what is begun counts, and 600 out.
        (call("ann", FLASH, json!({})), "0.000412625"),
        // What is stated is not guessed.
        (call("ann", FLASH, json!({"usage": {"input_tokens": 10}})), "0.00022625"),
        (
            call("ann", FLASH, json!({"usage": {"input_tokens": 10, "output_tokens": 0}})),
            "0.00000125",
        ),
        // No more comes out than the caller allows.
        (call("ann", FLASH, json!({"max_tokens": 50})), "0.000206375"),
        (call("ann", FLASH, json!({"max_tokens": 5_000})), "0.000412625"),
        // Of a model that she has not used yet, as of the others of its provider.
        (call("ann", "gemini-2.0-flash-lite", json!({})), "0.000292575"),
        // And of nobody else.
        (call("bob", FLASH, json!({})), "0.0000375"),
        (call("ann/desk", FLASH, json!({})), "0.0000375"),
    ] {
        assert_eq!(estimated(&server, &call).await, cost, "{call}");
    }

    let held = server.post("/v1/reservations", &call("ann", FLASH, json!({}))).await.expect(201);
    let tokens = held["quotas"].as_array().unwrap().iter().find(|it| it["name"] == "gemini_tokens");
    assert_eq!(held["estimated_cost"], "0.000412625");
    let checked = server.post("/v1/check", &call("ann", FLASH, json!({}))).await.expect(200);
    let find = |it: &&Value| it["name"] == "gemini_tokens";
    let standing = checked["quotas"].as_array().unwrap().iter().find(find);
    assert!(tokens.is_some());
    assert_eq!(standing.unwrap()["reserved"], "2101", "{checked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_average_of_a_period_without_use_is_that_of_the_one_before() {
    let how = "input_tokens = [\"average\"]\noutput_tokens = [\"average\"]";
    let server = Server::start(&estimating(how)).await;
    let ask = call("ann", FLASH, json!({}));
    used(&server, "ann", "2026-05-20T10:00:00Z", &[(8_000, 8_000)]).await;
    assert_eq!(estimated(&server, &ask).await, Value::Null, "that is too long ago");
    used(&server, "ann", "2026-07-20T10:00:00Z", &[(1_000, 500), (3_000, 500)]).await;
    assert_eq!(estimated(&server, &ask).await, "0.0004375");
    used(&server, "ann", TODAY, &[(8, 0)]).await;
    assert_eq!(estimated(&server, &ask).await, "0.000001");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_that_is_known_counts_as_the_manifest_says() {
    let home = estimating(
        "input_tokens = [\"context_window\"]\n\
         output_tokens = [\"max_tokens\", \"max_output_tokens\", 7]",
    );
    let catalogue = "[[prices]]\nprovider = \"gemini\"\nmodel = \"wide\"\n\
        context_window = 1_000\nmax_output_tokens = 300\n\
        per_million = { input_tokens = \"1\", output_tokens = \"1_000_000\" }\n"
        .replace("1_000_000", "1000000");
    std::fs::create_dir_all(home.policy("prices")).unwrap();
    std::fs::write(home.policy("prices/wide.toml"), catalogue).unwrap();
    let server = Server::start(&home).await;
    for (more, cost) in [
        (json!({"usage": {"input_tokens": 10, "output_tokens": 2}}), "2.00001"),
        (json!({"usage": {"input_tokens": 10}, "max_tokens": 5}), "5.00001"),
        (json!({"usage": {"input_tokens": 10}}), "300.00001"),
        (json!({"usage": {"output_tokens": 400}}), "400.0006"),
        (json!({"max_tokens": 5}), "5.001"),
    ] {
        assert_eq!(estimated(&server, &call("ann", "wide", more.clone())).await, cost, "{more}");
    }
    let flash = call("ann", FLASH, json!({"usage": {"input_tokens": 0}}));
    assert_eq!(estimated(&server, &flash).await, "0.000002625", "7 tokens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guess_that_nobody_knows_is_refused_and_named() {
    let how = "output_tokens = [\"guesswork\"]";
    let server = Server::launch(&estimating(how), crate::support::CLOCK_START);
    let why = crate::support::eventually("the manifest is refused", async || {
        let status = server.get("/v1/policies").await.json();
        status["rejected"][0]["reason"].as_str().map(String::from)
    })
    .await;
    for told in ["token-pricing.toml:", "output_tokens", "guesswork", "average"] {
        assert!(why.contains(told), "{why}");
    }
}
