use serde_json::{Value, json};

use super::fit::misfits;
use super::{document, operations, resolve};
use crate::support::{Answer, Home, Server};

#[track_caller]
fn check(document: &Value, place: &str, schema: &Value, value: &Value) {
    let misfits = misfits(document, schema, value);
    assert!(misfits.is_empty(), "{place}: {misfits:#?} in {value:#}");
}

/// The examples of a body of a media type.
fn examples(media: &Value) -> Vec<&Value> {
    let named = media["examples"].as_object().into_iter().flatten();
    let named = named.map(|(_, example)| &example["value"]);
    named.chain(media.get("example")).collect()
}

#[test]
fn every_body_has_an_example_and_every_example_fits() {
    let document = document();
    for (path, method, operation) in operations(&document) {
        let place = format!("{method} {path}");
        let bodies = operation.get("requestBody").into_iter();
        let responses = operation["responses"].as_object().unwrap().values();
        for body in bodies.chain(responses) {
            let body = resolve(&document, body);
            for (media_type, media) in body["content"].as_object().into_iter().flatten() {
                let examples = examples(media);
                let is_json = media_type.ends_with("json") && path != "/openapi.json";
                assert!(!is_json || !examples.is_empty(), "{place}: {body:#}");
                for example in examples {
                    check(&document, &place, &media["schema"], example);
                }
            }
        }
    }
}

struct Described {
    server: Server,
    document: Value,
}

impl Described {
    /// Asks, and holds the answer to what is said of it.
    async fn ask(&self, method: &str, path: &str, described: &str, body: Option<Value>) -> Value {
        let request = self.server.request(method.parse().unwrap(), path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = Answer::to(request).await.unwrap();
        let place = format!("{method} {path} {}", answer.status);
        let responses = &self.document["paths"][described][method.to_lowercase()]["responses"];
        let response = resolve(&self.document, &responses[answer.status.as_str()]);
        assert!(response.is_object(), "{place} is not described: {}", answer.text);
        let media_type = answer.header("content-type");
        let media = &response["content"][media_type];
        assert!(media.is_object(), "{place}: nothing is said of {media_type}");
        for (name, header) in response["headers"].as_object().unwrap() {
            let required = resolve(&self.document, header)["required"] == true;
            assert!(!required || answer.headers.contains_key(name), "{place} has no {name}");
        }
        let value = answer.json();
        check(&self.document, &place, &media["schema"], &value);
        value
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_answers_is_as_described() {
    let server = Server::start(&Home::new()).await;
    let all = Described { server, document: document() };
    let call = json!({
        "subject": "ann", "provider": "gemini", "model": "gemini-2.5-flash",
        "usage": { "input_tokens": 1000, "output_tokens": 500 },
    });
    let used = json!({ "subject": "ann", "provider": "gemini", "usage": { "calls": 99 },
                       "cost": "0.42", "event_id": "e1", "metadata": { "team": "blue" } });
    let correction = json!({ "subject": "ann", "event_id": "e1", "correction_id": "c1",
                             "usage_delta": { "calls": -1 } });
    let post =
        async |path: &str, body: &Value| all.ask("POST", path, path, Some(body.clone())).await;
    post("/v1/check", &call).await;
    let held = post("/v1/reservations", &call).await;
    let id = held["reservation_id"].as_str().unwrap();
    let path = format!("/v1/reservations/{id}");
    all.ask("GET", &path, "/v1/reservations/{id}", None).await;
    let settle = Some(json!({ "usage": { "input_tokens": 9 }, "status_code": 200 }));
    all.ask("POST", &format!("{path}/settle"), "/v1/reservations/{id}/settle", settle).await;
    all.ask("DELETE", &path, "/v1/reservations/{id}", None).await;
    post("/v1/usage", &used).await;
    post("/v1/usage", &used).await;
    post("/v1/usage", &json!([used, { "subject": "" }])).await;
    post("/v1/usage/corrections", &correction).await;
    post("/v1/reservations", &call).await;
    post("/v1/reservations", &call).await;
    post(
        "/v1/quote",
        &json!({ "provider": "gemini", "model": "gemini-2.5-flash",
                               "usage": { "input_tokens": 5 } }),
    )
    .await;
    post("/v1/rerate", &json!({})).await;
    let enforce = json!({ "user_id": "ann", "provider": "gemini" });
    post("/api/subscription/enforce", &enforce).await;
    post("/api/subscription/enforce", &json!({ "user_id": "bea", "provider": "gemini" })).await;
    post(
        "/api/subscription/track",
        &json!({ "user_id": "ann", "provider": "gemini",
                                             "tokens_input": 5, "response_time": 2.5 }),
    )
    .await;
    let user = "/api/subscription/user/{user_id}/subscription";
    let basic = Some(json!({ "plan": "basic", "billing_cycle": "yearly" }));
    all.ask("PUT", "/api/subscription/user/ann/subscription", user, basic).await;
    for (path, described) in [
        ("/v1/usage?subject=ann&event_id=e1", "/v1/usage"),
        ("/v1/refusals?subject=ann", "/v1/refusals"),
        ("/v1/policies", "/v1/policies"),
        ("/v1/policies/revisions", "/v1/policies/revisions"),
        ("/v1/policies/token-pricing/faults", "/v1/policies/{name}/faults"),
        ("/v1/policies/token-pricing/shadow", "/v1/policies/{name}/shadow"),
        ("/api/subscription/plans", "/api/subscription/plans"),
        ("/api/subscription/pricing", "/api/subscription/pricing"),
        ("/api/subscription/user/ann/subscription", user),
        ("/api/subscription/usage/ann", "/api/subscription/usage/{user_id}"),
        ("/api/subscription/usage/ann?billing_period=x", "/api/subscription/usage/{user_id}"),
        ("/api/subscription/usage/ann/trends", "/api/subscription/usage/{user_id}/trends"),
        ("/api/subscription/usage-logs/ann", "/api/subscription/usage-logs/{user_id}"),
        ("/api/subscription/billing-history/ann", "/api/subscription/billing-history/{user_id}"),
        ("/api/subscription/alerts/ann", "/api/subscription/alerts/{user_id}"),
        ("/api/subscription/dashboard/ann", "/api/subscription/dashboard/{user_id}"),
        ("/healthz", "/healthz"),
        ("/readyz", "/readyz"),
    ] {
        all.ask("GET", path, described, None).await;
    }
}
