//! What a catalogue can say.

use serde_json::{Value, json};
use tollgate_plugin::{Call, Fact, Policy, PricingPolicy};

use super::{JULY_2026, bill, call, policy};
use crate::TokenPricing;

const DAY: u64 = 86_400_000;
const HOUR: u64 = 3_600_000;

#[track_caller]
fn billed(policy: &TokenPricing, call: &Call) -> String {
    bill(&policy.price(call).expect("a valid usage").expect("a price"))
}

fn matched(policy: &TokenPricing, provider: &str, model: &str) -> Option<String> {
    let quote = policy.price(&call(provider, model, &[])).expect("a valid usage");
    quote.map(|quote| quote.entry)
}

fn with_facts(mut call: Call, facts: &[(&str, &str)]) -> Call {
    let fact = |&(name, value): &(&str, &str)| Fact { name: name.into(), value: value.into() };
    call.facts = facts.iter().map(fact).collect();
    call
}

/// A price of so many dollars for a call.
fn each(model: &str, cost: &str, further: Value) -> Value {
    let mut price = json!({"provider": "x", "model": model, "each": {"calls": cost}});
    let members = further.as_object().expect("members").clone();
    price.as_object_mut().expect("members").extend(members);
    price
}

#[test]
fn what_belongs_to_two_parts_is_taken_out_of_both() {
    let rates = json!({"input_tokens": "1", "cache_read_tokens": "10", "input_audio_tokens": "100",
        "cache_audio_read_tokens": "1000", "output_tokens": "3"});
    let policy = policy(json!({"prices": [{"provider": "x", "model": "m", "each": rates}]}));
    let usage = [
        ("input_tokens", 100),
        ("cache_read_tokens", 50),
        ("input_audio_tokens", 40),
        ("cache_audio_read_tokens", 10),
    ];
    assert_eq!(
        billed(&policy, &call("x", "m", &usage)),
        "cache_audio_read_tokens 10 × 1000 = 10000 input; \
         cache_read_tokens 40 × 10 = 400 input; \
         input_audio_tokens 30 × 100 = 3000 input; \
         input_tokens 20 × 1 = 20 input"
    );
}

#[test]
fn what_belongs_to_two_parts_and_has_no_rate_is_still_billed_once() {
    let rates =
        json!({"input_tokens": "1", "cache_read_tokens": "10", "input_audio_tokens": "100"});
    let policy = policy(json!({"prices": [{"provider": "x", "model": "m", "each": rates}]}));
    let usage = [
        ("input_tokens", 100),
        ("cache_read_tokens", 50),
        ("input_audio_tokens", 40),
        ("cache_audio_read_tokens", 10),
    ];
    assert_eq!(
        billed(&policy, &call("x", "m", &usage)),
        "cache_read_tokens 50 × 10 = 500 input; \
         input_audio_tokens 30 × 100 = 3000 input; \
         input_tokens 20 × 1 = 20 input"
    );
}

#[test]
fn a_part_of_a_part_is_priced_first_and_one_without_a_total_counts_as_it() {
    let rates =
        json!({"input_tokens": "1", "cache_write_tokens": "2", "cache_write_1h_tokens": "3"});
    let policy = policy(json!({"prices": [{"provider": "x", "model": "m", "each": rates}]}));
    let whole = [("input_tokens", 100), ("cache_write_tokens", 30), ("cache_write_1h_tokens", 10)];
    let bill = "cache_write_1h_tokens 10 × 3 = 30 input; cache_write_tokens 20 × 2 = 40 input; \
                input_tokens 70 × 1 = 70 input";
    assert_eq!(billed(&policy, &call("x", "m", &whole)), bill);
    let unstated = [("input_tokens", 100), ("cache_write_1h_tokens", 10)];
    let bill = "cache_write_1h_tokens 10 × 3 = 30 input; input_tokens 90 × 1 = 90 input";
    assert_eq!(billed(&policy, &call("x", "m", &unstated)), bill);
    let too_large = [("input_tokens", 100), ("cache_write_1h_tokens", 101)];
    let failure = policy.price(&call("x", "m", &too_large)).expect_err("a fault");
    assert_eq!(failure.code, "invalid_usage");
    for name in ["cache_write_1h_tokens (101)", "input_tokens (100)"] {
        assert!(failure.message.contains(name), "{}", failure.message);
    }
}

#[test]
fn dimensions_can_be_told_of_names_that_do_not_tell_them() {
    let rates = json!({"input_tokens": "1", "prompt_smell": "2"});
    let smell = json!({"family": "tokens", "direction": "input", "modality": "smell"});
    let policy = policy(json!({
        "prices": [{"provider": "x", "model": "m", "each": rates}],
        "quantities": {"prompt_smell": smell},
    }));
    let usage = [("input_tokens", 10), ("prompt_smell", 4)];
    let bill = "prompt_smell 4 × 2 = 8 input; input_tokens 6 × 1 = 6 input";
    assert_eq!(billed(&policy, &call("x", "m", &usage)), bill);
}

#[test]
fn past_a_threshold_of_input_the_whole_call_has_the_higher_rate() {
    let tiers = json!([
        {"above": 200, "each": {"input_tokens": "2", "output_tokens": "20"}},
        {"above": 300, "each": {"output_tokens": "30"}},
    ]);
    let rates = json!({"input_tokens": "1", "output_tokens": "10", "calls": "5"});
    let price = json!({"provider": "x", "model": "m", "each": rates, "tiers": tiers});
    let policy = policy(json!({ "prices": [price] }));
    let bill =
        |input| billed(&policy, &call("x", "m", &[("input_tokens", input), ("output_tokens", 1)]));
    assert_eq!(bill(200), "input_tokens 200 × 1 = 200 input; output_tokens 1 × 10 = 10 output");
    assert_eq!(bill(201), "input_tokens 201 × 2 = 402 input; output_tokens 1 × 20 = 20 output");
    assert_eq!(bill(301), "input_tokens 301 × 2 = 602 input; output_tokens 1 × 30 = 30 output");
}

#[test]
fn hours_may_cross_midnight() {
    let policy = policy(json!({"prices": [
        each("m", "3", json!({})),
        each("m", "1", json!({"hours": "22:30-06:00"})),
        each("n", "3", json!({})),
        each("n", "1", json!({"hours": "00:30-16:30:30"})),
    ]}));
    let midnight = JULY_2026 - JULY_2026 % DAY;
    let cost = |model: &str, at: u64| {
        let call = Call { at: midnight + at, ..call("x", model, &[("calls", 1)]) };
        let quote = policy.price(&call).expect("a valid usage").expect("a price");
        quote.charges[0].cost.to_string()
    };
    for (hours, price) in [(0, "1"), (5, "1"), (6, "3"), (12, "3"), (22, "3"), (23, "1")] {
        assert_eq!(cost("m", hours * HOUR), price, "{hours}");
    }
    assert_eq!(cost("m", 22 * HOUR + HOUR / 2), "1");
    assert_eq!(cost("n", 16 * HOUR + HOUR / 2 + 29_999), "1");
    assert_eq!(cost("n", 16 * HOUR + HOUR / 2 + 30_000), "3");
}

#[test]
fn a_service_tier_a_region_and_an_images_size_have_their_own_rates() {
    let policy = policy(json!({"prices": [
        each("m", "4", json!({})),
        each("m", "2", json!({"service_tier": ["batch", "flex"]})),
        each("m", "5", json!({"region": "eu"})),
        each("m", "3", json!({"region": "eu", "service_tier": "batch"})),
        each("m", "9", json!({"metadata": {"size": "1024x1024", "quality": "hd"}})),
    ]}));
    let cost = |facts: &[(&str, &str)]| {
        let call = with_facts(call("x", "m", &[("calls", 1)]), facts);
        policy.price(&call).expect("a valid usage").expect("a price").charges[0].cost.to_string()
    };
    assert_eq!(cost(&[]), "4");
    assert_eq!(cost(&[("service-tier", "flex")]), "2");
    assert_eq!(cost(&[("service-tier", "standard")]), "4");
    assert_eq!(cost(&[("region", "eu")]), "5");
    assert_eq!(cost(&[("region", "eu"), ("service-tier", "batch")]), "3");
    assert_eq!(cost(&[("metadata.size", "1024x1024")]), "4");
    assert_eq!(cost(&[("metadata.size", "1024x1024"), ("metadata.quality", "hd")]), "9");
}

#[test]
fn names_match_in_the_order_of_the_catalogue_and_in_any_case() {
    let policy = policy(json!({"prices": [
        each("a", "1", json!({"match": ["*-flash", {"all": ["gemini*", "*thinking*"]}]})),
        each("b", "1", json!({"match": ["exact", "GEMINI*"]})),
        each("c", "1", json!({"match": {"regex": "^o[134](-|$)"}})),
        each("d", "1", json!({"match": {"any": ["o*", "*"]}})),
    ]}));
    for (name, entry) in [
        ("gemini-2-flash", "a"),
        ("Gemini-Thinking-1", "a"),
        ("gemini-2-pro", "b"),
        ("EXACT", "b"),
        ("o3-mini", "c"),
        ("O4", "c"),
        ("o5", "d"),
        ("whatever", "d"),
    ] {
        assert_eq!(matched(&policy, "x", name).as_deref(), Some(entry), "{name}");
    }
}

#[test]
fn included_catalogues_go_first_and_resold_models_cost_what_their_owner_says() {
    let price = |provider: &str, model: &str| json!({"provider": provider, "model": model, "each": {"calls": 1}});
    let policy = policy(json!({
        "prices": [price("openai", "gpt-4o"), price("openai", "shipped-only"), price("goo", "own")],
        "included": [{
            "providers": [
                {"id": "azure", "resells": ["openai"]},
                {"id": "google", "aliases": ["goo"], "snapshots": false},
            ],
            "prices": [
                {"provider": "openai", "model": "imported", "match": "gpt-4o", "each": {"calls": 2}},
                price("azure", "gpt-35"),
                price("google", "gemini"),
            ],
        }],
    }));
    for (provider, model, entry) in [
        ("openai", "gpt-4o", Some("imported")),
        ("openai", "gpt-4o-2024-08-06", Some("imported")),
        ("openai", "shipped-only", Some("shipped-only")),
        ("azure", "gpt-35", Some("gpt-35")),
        ("azure", "gpt-4o", Some("imported")),
        ("goo", "own", Some("own")),
        ("goo", "gemini", Some("gemini")),
        ("google", "gemini", Some("gemini")),
        ("google", "gemini-2024-08-06", None),
        ("openai", "gpt-35", None),
    ] {
        assert_eq!(matched(&policy, provider, model).as_deref(), entry, "{provider}/{model}");
    }
}

#[test]
fn a_fallback_rate_prices_what_nobody_else_does() {
    let policy = policy(json!({
        "prices": [{"provider": "x", "model": "m", "each": {"calls": 1}}],
        "fallback": {"per_million": {"input_tokens": "3"}},
    }));
    let quote =
        policy.price(&call("y", "z", &[("input_tokens", 5)])).expect("valid").expect("a price");
    assert_eq!(
        (quote.entry.as_str(), bill(&quote).as_str()),
        ("fallback", "input_tokens 5 × 0.000003 = 0.000015 input")
    );
    assert_eq!(matched(&policy, "x", "m").as_deref(), Some("m"));
    assert!(policy.claims().contains(&"*".to_owned()));
}

#[test]
fn the_schema_is_json_and_names_what_the_configuration_has() {
    let schema = TokenPricing::describe().config_schema.expect("a schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    for name in
        ["prices", "providers", "extractors", "quantities", "included", "estimates", "fallback"]
    {
        assert!(schema["properties"].get(name).is_some(), "{name}");
    }
}
