//! Whatever somebody writes, or a provider answers: no panic, and no end of time.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use tollgate_plugin::{Call, Policy, PricingPolicy, config};

use super::{call, shipped};
use crate::TokenPricing;

/// More than anything takes that is tried here, on a machine however busy.
const PATIENCE: Duration = Duration::from_secs(60);

static SHIPPED: LazyLock<TokenPricing> = LazyLock::new(shipped);

/// JSON in the likeness of an answer, and of none.
fn answer() -> impl Strategy<Value = Value> {
    let words = [
        "usage",
        "prompt_tokens",
        "completion_tokens",
        "input_tokens",
        "output_tokens",
        "usageMetadata",
        "promptTokenCount",
        "model",
        "message",
        "response",
        "artifacts",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_map(|it| serde_json::Number::from_f64(it).map_or(Value::Null, Value::Number)),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((select(words.to_vec()), inner), 0..6).prop_map(|members| {
                Value::Object(members.into_iter().map(|(name, it)| (name.to_owned(), it)).collect())
            }),
        ]
    })
}

const FLAVORS: [(&str, &str); 8] = [
    ("openai", "chat"),
    ("openai", "responses"),
    ("anthropic", "default"),
    ("gemini", "default"),
    ("mistral", "default"),
    ("stability", "default"),
    ("tavily", "default"),
    ("anybody", "chat"),
];

/// A catalogue with everything in it that one can say.
const CATALOGUE: &str = r#"{
    "providers": [{"id": "x", "name": "X", "aliases": ["y"], "resells": ["openai"], "snapshots": false}],
    "prices": [
        {"provider": "x", "model": "m", "match": ["m", "m-*", {"all": ["*a*", {"regex": "^m[0-9]+$"}]}],
         "per_million": {"input_tokens": "1.5", "cache_read_tokens": 0.15, "output_tokens": "3"},
         "per_thousand": {"searches": 5}, "each": {"calls": "0.01"}, "per_billion": {"input_pixels": "7"},
         "tiers": [{"above": 200000, "per_million": {"input_tokens": "3"}}],
         "effective_date": "2025-01-31", "hours": "16:30-00:30", "service_tier": ["batch"],
         "region": "eu", "metadata": {"size": ["hd", "sd"]}, "context_window": 1000,
         "max_output_tokens": 100, "description": "M", "source": "a page"},
        {"provider": "*", "model": "*", "each": {"calls": 0}}],
    "extractors": [{"provider": "x", "flavors": ["default"], "model": "/model", "root": "/usage",
        "usage": {"input_tokens": ["/in", "/more/[kind=A]/n"], "images": ["/images/#"]},
        "required": ["/in"], "unreported": {"calls": 1}, "envelopes": ["/a"], "stream": "sum"}],
    "quantities": {"smell": {"family": "tokens", "direction": "input", "modality": "smell"}},
    "overrides": [{"provider": "x", "model": "m", "each": {"calls": 1}}],
    "included": [{"name": "i", "prices": [{"provider": "x", "model": "n", "each": {"calls": 1}}]}],
    "estimates": {"input_tokens": ["average", 5], "output_tokens": ["max_tokens", "context_window"]},
    "fallback": {"per_million": {"input_tokens": "5"}}
}"#;

const ANSWERS: [&str; 4] = [
    r#"{"model":"gpt-5","usage":{"prompt_tokens":100,"prompt_tokens_details":{"cached_tokens":60},"completion_tokens":50}}"#,
    r#"[{"type":"message_start","message":{"model":"claude","usage":{"input_tokens":10,"output_tokens":1}}},{"usage":{"output_tokens":15}}]"#,
    r#"{"modelVersion":"gemini-2.5-flash","usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"promptTokensDetails":[{"modality":"TEXT","tokenCount":7}]}}"#,
    r#"{"artifacts":[{"seed":1},{"seed":2}],"usage":null}"#,
];

/// A document with some of its bytes changed, doubled, or taken away.
fn mutated(document: &'static str) -> impl Strategy<Value = String> {
    let junk = [
        "0",
        "9",
        "-",
        "\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "1e999",
        "18446744073709551616",
        "*",
        "\\u0000",
        "~",
        "/",
        "#",
        "\u{1F9C0}",
        "(",
        "+",
        "\\",
    ];
    vec((any::<Index>(), 0_usize..12, 0_u8..3, select(junk.to_vec())), 0..6).prop_map(
        move |changes| {
            let mut bytes = document.as_bytes().to_vec();
            for (at, length, how, junk) in changes {
                if bytes.is_empty() {
                    break;
                }
                let from = at.index(bytes.len());
                let range = from..bytes.len().min(from + length);
                let with = match how {
                    0 => junk.as_bytes().to_vec(),
                    1 => bytes[range.clone()].repeat(2),
                    _ => Vec::new(),
                };
                bytes.splice(range, with);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        },
    )
}

/// Takes a catalogue, and asks all that the host would ask, if it is taken.
fn take(text: &str, models: &[&str]) {
    let begun = Instant::now();
    let Ok(config) = config::decode(text) else { return };
    let Ok(policy) = TokenPricing::new(config) else { return };
    let (_, _, _, _) = (policy.claims(), policy.catalog(0), policy.terms(0), policy.wishes());
    let (lines, entries) = (policy.lines().len(), policy.entries(0).len());
    for model in models {
        for provider in ["x", "y", "openai", "nobody"] {
            let usage = [("input_tokens", 300_000), ("cache_read_tokens", 9), ("calls", 2)];
            let call = Call { model: Some((*model).into()), ..call(provider, "", &usage) };
            let _ = policy.price(&call);
            if let Ok(Some(quote)) = policy.coded_price(&call) {
                assert!((quote.entry as usize) < entries);
                assert!(quote.charges.iter().all(|charge| (charge.line as usize) < lines));
            }
            let _ = policy.estimate(call, Some(7));
            let _ = policy.extract(provider, "default", ANSWERS[0]);
        }
    }
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn the_catalogue_that_is_mutated_is_one_that_is_taken() {
    let config = config::decode(CATALOGUE).expect("JSON of the right types");
    assert!(TokenPricing::new(config).is_ok());
    take(CATALOGUE, &["m", "n", "m7a"]);
}

#[test]
fn an_answer_of_lists_in_lists_and_a_huge_one_end() {
    let begun = Instant::now();
    for depth in [100, 10_000, 200_000] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let _ = SHIPPED.extract("openai", "chat", &nested);
        let of_objects = format!("{}1{}", "{\"usage\":".repeat(depth), "}".repeat(depth));
        let _ = SHIPPED.extract("openai", "chat", &of_objects);
    }
    let chunk = r#"{"usage":{"prompt_tokens":1,"completion_tokens":1}},"#;
    let long = format!("[{}7, -7, 1.5, 1e400, true, null]", chunk.repeat(20_000));
    let found = SHIPPED.extract("openai", "chat", &long).expect("a usage").expect("a known flavor");
    assert_eq!(super::listed(&found.usage), "input_tokens 1, output_tokens 1");
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn a_regular_expression_that_others_take_long_over_ends() {
    let regexes = [
        "(a*)*b",
        "(a|aa)+$",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(x+x+)+y",
        "((a{0,99}){0,99}){0,99}",
    ];
    let name = "a".repeat(190);
    for regex in regexes {
        let price = json!({"provider": "x", "match": {"regex": regex}, "each": {"calls": 1}});
        take(&json!({"prices": [price]}).to_string(), &[&name]);
    }
}

proptest! {
    #[test]
    fn a_mutated_catalogue_is_taken_or_refused(text in mutated(CATALOGUE)) {
        take(&text, &["m", "m-1", "ma7", "n"]);
    }

    #[test]
    fn a_mutated_answer_is_a_usage_or_a_failure(
        text in prop_oneof![mutated(ANSWERS[0]), mutated(ANSWERS[1]), mutated(ANSWERS[2]), mutated(ANSWERS[3])],
        of in select(FLAVORS.to_vec()),
    ) {
        if let Ok(Some(found)) = SHIPPED.extract(of.0, of.1, &text) {
            prop_assert!(!found.usage.is_empty());
            prop_assert!(found.usage.iter().all(|it| it.amount.is_whole() && !it.amount.is_negative()));
        }
    }

    #[test]
    fn whatever_a_provider_answers_is_a_usage_or_a_failure(
        answer in answer(), of in select(FLAVORS.to_vec()),
    ) {
        let _ = SHIPPED.extract(of.0, of.1, &answer.to_string());
    }

    #[test]
    fn whatever_bytes_an_answer_is_are_a_usage_or_a_failure(
        bytes in vec(any::<u8>(), 0..200), of in select(FLAVORS.to_vec()),
    ) {
        let _ = SHIPPED.extract(of.0, of.1, &String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn whatever_a_catalogue_says_is_taken_or_refused(
        bytes in vec(any::<u8>(), 0..200), value in answer(), model in ".{0,12}", regex in ".{0,16}",
    ) {
        let texts = [
            String::from_utf8_lossy(&bytes).into_owned(),
            json!({"prices": value}).to_string(),
            json!({"extractors": [{"provider": "x", "flavors": ["d"], "usage": value}]}).to_string(),
            json!({"prices": [{"provider": "x", "model": model, "each": {"calls": 1},
                "match": [model, {"regex": regex}]}]}).to_string(),
        ];
        for text in texts {
            let Ok(config) = config::decode(&text) else { continue };
            if let Ok(policy) = TokenPricing::new(config) {
                let _ = policy.price(&Call { model: Some(model.clone()), ..call("x", "", &[]) });
            }
        }
    }
}
