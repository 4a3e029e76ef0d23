//! What is wrong with a configuration is said where it is wrong.

use serde_json::{Value, json};

use super::configured;

#[track_caller]
fn check(config: Value, path: &str, message: &str) {
    let problems = configured(&config).err().expect("problems");
    let found = problems.iter().any(|it| it.path == path && it.message.contains(message));
    assert!(found, "{problems:?}");
}

/// A price that is right but for one member.
fn price(name: &str, value: Value) -> Value {
    let mut price = json!({"provider": "x", "model": "m", "each": {"calls": 1}});
    price[name] = value;
    json!({ "prices": [price] })
}

#[test]
fn of_a_price() {
    check(price("provider", json!("X")), "/prices/0/provider", "lower case");
    check(price("model", json!("a*b")), "/prices/0/model", "at the end");
    check(price("each", json!({})), "/prices/0", "needs a rate");
    check(price("each", json!({"calls": "-1"})), "/prices/0/each/calls", "negative");
    check(price("each", json!({"calls": "1,5"})), "/prices/0/each/calls", "`1,5` is not a decimal");
    check(price("per_million", json!({"calls": 1})), "/prices/0/each/calls", "twice");
    check(price("effective_date", json!("2025-02-29")), "/prices/0/effective_date", "not a day");
    check(price("per_milion", json!({})), "/prices/0/per_milion", "unknown field");
    let fine = json!({"a/b": "0.0000000000000000000000001"});
    check(price("per_million", fine), "/prices/0/per_million/a~1b", "too fine");
}

#[test]
fn of_prices_that_contradict() {
    let entry = |model: &str| json!({"provider": "x", "model": model, "each": {"calls": 1}});
    let twice = json!({"prices": [entry("gpt"), entry("GPT")]});
    check(twice, "/prices/1", "from the same date");
}

#[test]
fn of_an_extractor() {
    let extractor = |usage: Value| json!({"extractors": [{"provider": "x", "flavors": ["default", "default"], "usage": usage}]});
    let good = json!({"input_tokens": ["/usage/in"]});
    check(extractor(good), "/extractors/0/flavors/1", "another extractor");
    check(extractor(json!({})), "/extractors/0/usage", "name a quantity");
    let path = "/extractors/0/usage/input_tokens/0";
    check(extractor(json!({"input_tokens": ["usage"]})), path, "JSON Pointer");
}
