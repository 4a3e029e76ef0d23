//! What holds for all catalogues and usages.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use tollgate_plugin::pricing::{Charge, Failure, Quote};
use tollgate_plugin::{Call, Decimal, PricingPolicy};

use super::{call, policy};
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

/// Thresholds of input, some reached and some not, with other rates of what is rated anyway.
fn tiers() -> impl Strategy<Value = Value> {
    vec((0_u32..700_000, 1_u32..100), 0..3).prop_map(|tiers| {
        let mut above: Vec<_> = tiers.iter().map(|(above, _)| *above).collect();
        above.sort_unstable();
        above.dedup();
        let factor = |i: usize| tiers.get(i).map_or(1, |(_, factor)| *factor);
        let tiers = above.iter().enumerate().map(|(i, above)| json!([above, factor(i)]));
        tiers.collect()
    })
}

/// The model `m` at these rates, and past thresholds at so many dollars for a million.
fn of_tiers(rates: &Value, tiers: &Value) -> TokenPricing {
    let rated = rates.as_object().expect("rates");
    let tier = |it: &Value| {
        if it.is_object() {
            return it.clone();
        }
        let dearer: serde_json::Map<_, _> =
            rated.keys().map(|name| (name.clone(), it[1].to_string().into())).collect();
        json!({"above": it[0], "per_million": dearer})
    };
    let tiers: Vec<_> = tiers.as_array().expect("tiers").iter().map(tier).collect();
    policy(json!({
        "prices": [{"provider": "x", "model": "m", "per_million": rates, "tiers": tiers}],
        "fallback": {"each": {"calls": "0.5"}},
    }))
}

/// A price in numbers, with the names that the policy told.
fn in_words(policy: &TokenPricing, call: &Call) -> Result<Option<Quote>, Failure> {
    let (lines, entries) = (policy.lines(), policy.entries(0));
    let quote = policy.coded_price(call)?;
    quote
        .map(|quote| {
            let charges = quote.charges.iter().map(|charge| {
                let line = &lines[charge.line as usize];
                Charge::new(&line.quantity, charge.amount, charge.unit_price, &line.side)
            });
            let charges = charges.collect::<Result<_, _>>()?;
            Ok(Quote { entry: entries[quote.entry as usize].clone(), charges })
        })
        .transpose()
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
    fn the_cost_is_never_negative(rates in rates(), usage in usage(), tiers in tiers()) {
        let quote = quote(&of_tiers(&rates, &tiers), &usage);
        prop_assert!(cost(&quote) >= Decimal::ZERO);
        prop_assert!(quote.charges.iter().all(|charge| !charge.amount.is_negative()));
    }

    /// Dearer tiers begin past the largest usage that is tried, or before the smallest.
    #[test]
    fn adding_usage_never_lowers_the_cost_within_one_tier(
        rates in rates(), usage in usage(), more in 0_u32..1_000, above in select(vec![0, 10_000_000]),
    ) {
        let cheap = json!({"above": above, "per_million": rates});
        let policy = of_tiers(&rates, &json!([cheap]));
        let usage: Vec<_> = usage.into_iter().map(|(name, amount)| {
            (name, if name == "input_tokens" { amount + 1 } else { amount })
        }).collect();
        for total in ["input_tokens", "output_tokens", "calls"] {
            let larger: Vec<_> = usage.iter().map(|(name, amount)| {
                (*name, if *name == total { amount + more } else { *amount })
            }).collect();
            prop_assert!(cost(&quote(&policy, &usage)) <= cost(&quote(&policy, &larger)));
        }
    }

    /// More of a part is more of its total too.
    #[test]
    fn adding_to_a_part_and_its_total_never_lowers_the_cost(
        rates in rates(), usage in usage(), more in 0_u32..1_000,
    ) {
        let policy = of_rates(&rates);
        for (part, total) in [
            ("cache_read_tokens", "input_tokens"),
            ("cache_write_tokens", "input_tokens"),
            ("input_audio_tokens", "input_tokens"),
            ("output_reasoning_tokens", "output_tokens"),
        ] {
            let larger: Vec<_> = usage.iter().map(|(name, amount)| {
                (*name, if [part, total].contains(name) { amount + more } else { *amount })
            }).collect();
            prop_assert!(cost(&quote(&policy, &usage)) <= cost(&quote(&policy, &larger)), "{part}");
        }
    }

    #[test]
    fn a_price_in_numbers_is_the_price(rates in rates(), usage in usage(), tiers in tiers()) {
        let policy = of_tiers(&rates, &tiers);
        for model in ["m", "nobody's"] {
            let call = call("x", model, &usage);
            prop_assert_eq!(in_words(&policy, &call), policy.price(&call));
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
}
