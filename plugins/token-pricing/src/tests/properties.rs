//! What holds for all catalogues and usages.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use tollgate_plugin::pricing::{CallRate, Charge, Failure, Quote};
use tollgate_plugin::{Call, Decimal, Measure, PricingPolicy};

use super::{JULY_2026, call, policy};
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

/// The estimate as a host reckons it, where the policy says how: what is filled in, and the cost.
fn reckoned(
    policy: &TokenPricing,
    like: &Call,
    call: &Call,
    max_tokens: Option<u32>,
) -> Option<(Vec<Measure>, Decimal)> {
    let told = policy.call_rates(like, max_tokens.map(|_| 7))?;
    let filled_in = told.filled_in.iter().map(|guess| Measure {
        quantity: guess.quantity.clone(),
        amount: guess.amount.unwrap_or_else(|| max_tokens.expect("a bound").into()),
    });
    let filled_in: Vec<_> = filled_in.collect();
    let usage = || call.usage.iter().chain(&filled_in);
    let amount = |quantity: &str| {
        usage().find(|it| it.quantity == quantity).map_or(Decimal::ZERO, |it| it.amount)
    };
    let holds = told.since <= call.at
        && told.until.is_none_or(|until| call.at < until)
        && told.bounds.iter().all(|bound| amount(&bound.quantity) <= bound.at_most);
    let cost = told.rates.iter().fold(Decimal::ZERO, |sum, rate| {
        let cost = amount(&rate.quantity).times(rate.unit_price).expect("an exact product");
        sum.plus(cost).expect("an exact sum")
    });
    holds.then_some((filled_in, cost))
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
    fn what_is_reckoned_by_the_rates_of_a_call_that_is_alike_is_what_is_estimated(
        rates in rates(),
        tiers in tiers(),
        guesses in subsequence(vec!["max_tokens", "max_output_tokens", "context_window", "80"], 0..4),
        stated in subsequence(vec!["calls", "images", "input_tokens", "output_tokens"], 0..4),
        (few, many, day) in (0_u32..1_000, 0_u32..900_000, 0_u64..4),
        max_tokens in proptest::option::of(0_u32..900_000),
    ) {
        let guesses: Vec<_> =
            guesses.iter().map(|it| it.parse::<u32>().map_or(json!(it), |n| json!(n))).collect();
        let tiers: Vec<_> = tiers.as_array().expect("tiers").iter().map(|it| {
            let dearer: serde_json::Map<_, _> = rates.as_object().expect("rates").keys()
                .map(|name| (name.clone(), it[1].to_string().into())).collect();
            json!({"above": it[0], "per_million": dearer})
        }).collect();
        let price = |since: &str, each: &str| json!({
            "provider": "x", "model": "m", "effective_date": since, "per_million": rates,
            "each": {"images": each}, "tiers": tiers, "max_output_tokens": 4_096,
            "context_window": 100_000,
        });
        let policy = policy(json!({
            "prices": [price("2026-07-14", "0.25"), price("2026-07-16", "0.5")],
            "estimates": {"input_tokens": guesses, "output_tokens": guesses},
        }));
        let of = |amount: u32| {
            let usage: Vec<_> = stated.iter().map(|name| (*name, amount)).collect();
            Call { at: JULY_2026 + day * 43_200_000, ..call("x", "m", &usage) }
        };
        let (like, asked) = (Call { at: JULY_2026, ..of(few) }, of(many));
        if let Some((filled_in, cost)) = reckoned(&policy, &like, &asked, max_tokens) {
            let estimate = policy.estimate(asked.clone(), max_tokens).expect("a valid usage");
            let estimate = estimate.expect("a price");
            prop_assert_eq!(estimate.cost, Some(cost));
            prop_assert_eq!(&estimate.filled_in, &filled_in);
            if filled_in.is_empty() {
                let told = policy.call_rates(&like, max_tokens).expect("as before");
                let of = |rate: &CallRate| asked.amount(&rate.quantity).filter(|it| !it.is_zero());
                let charges = told.rates.iter().filter_map(|rate| {
                    let charge = Charge::new(&rate.charged_as, of(rate)?, rate.unit_price, &rate.side);
                    Some(charge.expect("an exact product"))
                });
                let reckoned = Quote { entry: told.entry.clone(), charges: charges.collect() };
                prop_assert_eq!(policy.price(&asked), Ok(Some(reckoned)));
            }
        }
    }

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
