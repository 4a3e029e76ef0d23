//! What holds for all catalogues, usages and answers.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use tollgate_plugin::pricing::Quote;
use tollgate_plugin::{Call, Decimal, Policy, PricingPolicy, config};

use super::{call, policy, shipped};
use crate::TokenPricing;

const RATED: [&str; 9] = [
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "cache_audio_read_tokens",
    "output_reasoning_tokens",
    "calls",
];

/// Totals with what is in them: the parts of each never exceed it.
fn usage() -> impl Strategy<Value = Vec<(&'static str, u32)>> {
    (vec(0_u32..100_000, 8), 0_u32..3).prop_map(|(n, calls)| {
        // Disjoint heaps, from which the totals are put together.
        let (audio_read, audio, read, hour, write) = (n[0], n[1], n[2], n[3], n[4]);
        vec![
            ("calls", calls),
            ("cache_audio_read_tokens", audio_read),
            ("cache_read_tokens", audio_read + read),
            ("cache_write_1h_tokens", hour),
            ("cache_write_tokens", hour + write),
            ("input_audio_tokens", audio_read + audio),
            ("input_tokens", audio_read + audio + read + hour + write + n[5]),
            ("output_reasoning_tokens", n[6]),
            ("output_tokens", n[6] + n[7]),
        ]
    })
}

fn rates() -> impl Strategy<Value = Value> {
    let rated = subsequence(RATED.to_vec(), 1..=RATED.len());
    (rated, vec(0_u32..10_000, RATED.len())).prop_map(|(rated, amounts)| {
        let rates = rated.iter().zip(amounts).map(|(name, amount)| {
            let (whole, fraction) = (amount / 100, amount % 100);
            ((*name).to_owned(), json!(format!("{whole}.{fraction:02}")))
        });
        Value::Object(rates.collect())
    })
}

fn of_rates(rates: &Value) -> TokenPricing {
    policy(json!({"prices": [{"provider": "x", "model": "m", "per_million": rates}]}))
}

fn quote(policy: &TokenPricing, usage: &[(&str, u32)]) -> Quote {
    policy.price(&call("x", "m", usage)).expect("a valid usage").expect("a price")
}

fn cost(quote: &Quote) -> Decimal {
    quote.charges.iter().fold(Decimal::ZERO, |sum, it| sum.plus(it.cost).expect("an exact sum"))
}

fn amount(usage: &[(&str, u32)], name: &str) -> u32 {
    usage.iter().find(|(it, _)| *it == name).map_or(0, |(_, amount)| *amount)
}

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

proptest! {
    #[test]
    fn charges_add_up_and_no_token_is_billed_twice_or_for_less_than_nothing(
        rates in rates(), usage in usage(),
    ) {
        let quote = quote(&of_rates(&rates), &usage);
        for charge in &quote.charges {
            prop_assert!(!charge.cost.is_negative());
            prop_assert_eq!(charge.amount.times(charge.unit_price), Ok(charge.cost));
        }
        for (side, total) in [("input", "input_tokens"), ("output", "output_tokens")] {
            let billed = quote.charges.iter().filter(|charge| charge.side == side);
            let billed = billed.fold(Decimal::ZERO, |sum, charge| {
                sum.plus(charge.amount).expect("an exact sum")
            });
            let whole = Decimal::from(amount(&usage, total));
            prop_assert!(billed <= whole, "{billed} of {whole}");
            if rates.get(total).is_some() {
                prop_assert_eq!(billed, whole);
            }
        }
    }

    #[test]
    fn more_of_what_is_used_never_costs_less(
        rates in rates(), usage in usage(), more in 0_u32..1_000,
    ) {
        let policy = of_rates(&rates);
        for total in ["input_tokens", "output_tokens", "calls"] {
            let larger: Vec<_> = usage.iter().map(|(name, amount)| {
                (*name, if *name == total { amount + more } else { *amount })
            }).collect();
            prop_assert!(cost(&quote(&policy, &usage)) <= cost(&quote(&policy, &larger)));
        }
    }

    #[test]
    fn an_estimate_of_a_stated_usage_comes_to_its_price(rates in rates(), usage in usage()) {
        let policy = of_rates(&rates);
        let estimation = policy.estimate(call("x", "m", &usage), None).expect("valid").expect("a price");
        let estimated = estimation.cost.expect("tokens are stated");
        prop_assert_eq!(estimated, cost(&quote(&policy, &usage)));
    }

    #[test]
    fn a_warm_instance_says_what_a_fresh_one_does(
        names in vec("(gpt|o|claude|x)-?[0-9a-z*@-]{0,12}", 1..12),
    ) {
        let prices = json!({"prices": [
            {"provider": "x", "model": "gpt-4", "each": {"calls": 1}},
            {"provider": "x", "model": "any", "match": ["gpt*", {"regex": "^o[0-9]"}], "each": {"calls": 1}},
            {"provider": "x", "model": "claude*", "each": {"calls": 1}},
        ]});
        let warm = policy(prices.clone());
        for name in names.iter().chain(&names) {
            let asked = |policy: &TokenPricing| policy.price(&call("x", name, &[("calls", 1)]));
            prop_assert_eq!(asked(&warm), asked(&policy(prices.clone())));
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
