//! What calls cost.

use serde_json::json;
use tollgate_plugin::{Call, Decimal, PricingPolicy};

use crate::TokenPricing;

use super::{JULY_2026, bill, call, listed, policy, shipped};

#[track_caller]
fn cost(call: &Call) -> String {
    let quote = shipped().price(call).expect("a valid usage").expect("a price");
    let costs = quote.charges.iter().map(|charge| charge.cost);
    let total = costs.fold(Decimal::ZERO, |sum, cost| sum.plus(cost).expect("an exact sum"));
    total.to_string()
}

#[track_caller]
fn matched(model: &str, models: &[&str]) -> Option<String> {
    let prices: Vec<_> = models
        .iter()
        .map(|model| json!({"provider": "x", "model": model, "each": {"calls": 1}}))
        .collect();
    let quote = policy(json!({ "prices": prices })).price(&call("x", model, &[]));
    quote.expect("a valid usage").map(|quote| quote.entry)
}

#[test]
fn the_prices_of_the_seed_hold_to_the_last_digit() {
    let tokens = [("calls", 1), ("input_tokens", 1000), ("output_tokens", 500)];
    assert_eq!(cost(&call("gemini", "gemini-2.0-flash-lite", &tokens)), "0.000225");
    assert_eq!(cost(&call("gemini", "gemini-2.5-flash", &tokens)), "0.0003125");
    assert_eq!(cost(&call("gemini", "gemini-2.5-pro", &tokens)), "0.00625");
    assert_eq!(cost(&call("tavily", "", &[("calls", 3)])), "0.003");
    assert_eq!(cost(&call("serper", "", &[("calls", 1), ("searches", 7)])), "0.007");
    assert_eq!(cost(&call("metaphor", "", &[("calls", 1)])), "0.003");
}

#[test]
fn a_bill_shows_each_quantity_at_its_price() {
    let call =
        call("gemini", "gemini-2.5-flash", &[("input_tokens", 1000), ("output_tokens", 500)]);
    let quote = shipped().price(&call).expect("a valid usage").expect("a price");
    assert_eq!(quote.entry, "gemini-2.5-flash");
    assert_eq!(
        bill(&quote),
        "input_tokens 1000 × 0.000000125 = 0.000125 input; \
         output_tokens 500 × 0.000000375 = 0.0001875 output"
    );
}

#[test]
fn a_part_is_never_billed_twice() {
    let usage = [
        ("input_tokens", 1000),
        ("cache_read_tokens", 700),
        ("cache_write_tokens", 100),
        ("output_tokens", 500),
        ("output_reasoning_tokens", 400),
    ];
    let claude = call("anthropic", "claude-haiku-4-5", &usage);
    let quote = shipped().price(&claude).expect("a valid usage").expect("a price");
    assert_eq!(
        bill(&quote),
        "cache_read_tokens 700 × 0.0000001 = 0.00007 input; \
         cache_write_tokens 100 × 0.00000125 = 0.000125 input; \
         input_tokens 200 × 0.000001 = 0.0002 input; \
         output_tokens 500 × 0.000005 = 0.0025 output"
    );
    // Without a rate of its own, what was cached costs what the rest does.
    assert_eq!(cost(&call("gemini", "gemini-2.5-flash", &usage)), "0.0003125");
}

#[test]
fn a_part_larger_than_its_total_is_the_callers_fault() {
    for usage in [
        [("input_tokens", 10), ("cache_read_tokens", 11), ("cache_write_tokens", 0)],
        [("input_tokens", 10), ("cache_read_tokens", 6), ("cache_write_tokens", 5)],
    ] {
        let failure =
            shipped().price(&call("gemini", "gemini-2.5-pro", &usage)).expect_err("a fault");
        assert_eq!(failure.code, "invalid_usage");
        assert!(failure.message.contains("input_tokens (10)"), "{}", failure.message);
        assert!(failure.message.contains("cache_"), "{}", failure.message);
    }
    let whole = [("output_tokens", 10), ("output_reasoning_tokens", 10)];
    assert_eq!(cost(&call("gemini", "gemini-2.5-pro", &whole)), "0.0001");
}

#[test]
fn free_is_listed_and_unrated_is_not() {
    let price = json!({"provider": "x", "model": "m", "per_million": {"input_tokens": "0"}});
    let usage = [("calls", 1), ("input_tokens", 5), ("output_tokens", 5)];
    let quote = policy(json!({ "prices": [price] })).price(&call("x", "m", &usage));
    let quote = quote.expect("a valid usage").expect("a price");
    assert_eq!(bill(&quote), "input_tokens 5 × 0 = 0 input");
}

#[test]
fn an_unknown_model_or_provider_has_no_price() {
    let usage = [("input_tokens", 5)];
    for call in [
        call("gemini", "gemini-99", &usage),
        call("gemini", "", &usage),
        call("tavily", "some-model", &usage),
        call("nobody", "gemini-2.5-pro", &usage),
    ] {
        assert_eq!(shipped().price(&call), Ok(None));
    }
}

#[test]
fn the_longest_match_wins_and_a_name_before_a_pattern() {
    let models = ["gpt-5", "gpt-5-mini", "gpt-5*", "gpt*", "*"];
    for (model, entry) in [
        ("gpt-5", "gpt-5"),
        ("gpt-5-mini", "gpt-5-mini"),
        ("GPT-5-Mini", "gpt-5-mini"),
        ("gpt-5-nano", "gpt-5*"),
        ("gpt-4", "gpt*"),
        ("o3", "*"),
        ("", "*"),
    ] {
        assert_eq!(matched(model, &models).as_deref(), Some(entry), "{model}");
    }
}

#[test]
fn a_dated_snapshot_that_nobody_lists_is_its_family() {
    for (model, models, entry) in [
        ("gpt-4o-2024-08-06", &["gpt-4o", "gpt*"][..], Some("gpt-4o")),
        ("claude-sonnet-4-20250514", &["claude-sonnet-4"], Some("claude-sonnet-4")),
        ("claude-sonnet-4@20250514", &["claude-sonnet-4"], Some("claude-sonnet-4")),
        ("gpt-4o-2024-08-06", &["gpt-4o", "gpt-4o-2024-08-06"], Some("gpt-4o-2024-08-06")),
        ("gpt-4o-2024-08-06", &["gpt-4o", "gpt-4o-2024*"], Some("gpt-4o-2024*")),
        ("gpt-4o-mini", &["gpt-4o"], None),
        ("gpt-4o-2024-8-6", &["gpt-4o"], None),
        ("@cf/some-model", &[""], None),
    ] {
        assert_eq!(matched(model, models).as_deref(), entry, "{model}");
    }
}

#[test]
fn prices_take_turns_by_their_effective_date() {
    let at =
        |at| Call { at, ..call("anthropic", "claude-sonnet-5", &[("input_tokens", 1_000_000)]) };
    const SEPTEMBER: u64 = 1_788_220_800_000;
    assert_eq!(cost(&at(JULY_2026)), "2");
    assert_eq!(cost(&at(SEPTEMBER - 1)), "2");
    assert_eq!(cost(&at(SEPTEMBER)), "3");
    assert_eq!(cost(&at(0)), "2", "before the first price, the first holds");
}

#[test]
fn a_call_counts_as_one_search_image_or_page_where_no_tokens_are_priced() {
    assert_eq!(cost(&call("firecrawl", "", &[("calls", 1)])), "0.00083");
    assert_eq!(cost(&call("stability", "sd3.5-large", &[("calls", 2)])), "0.13");
    assert_eq!(cost(&call("stability", "sd3.5-large", &[("calls", 1), ("images", 4)])), "0.26");
    // Exa's pages come beside its searches, and only if somebody counted them.
    assert_eq!(cost(&call("exa", "", &[("calls", 1)])), "0.005");
    assert_eq!(cost(&call("exa", "", &[("calls", 1), ("pages", 3)])), "0.008");
    // A model that may search costs by the token: its calls are no searches.
    assert_eq!(cost(&call("anthropic", "claude-opus-5", &[("calls", 1)])), "0");
}

/// What an estimate comes to, and the usage that it is for.
#[track_caller]
fn estimated(policy: &TokenPricing, call: Call, max: Option<u32>) -> (Option<String>, String) {
    let stated = call.usage.clone();
    let estimation = policy.estimate(call, max).expect("a valid usage").expect("a price");
    let usage = [stated, estimation.filled_in].concat();
    (estimation.cost.map(|cost| cost.to_string()), listed(&usage))
}

#[test]
fn an_estimate_assumes_all_the_output_that_the_caller_allows() {
    let bounded = call("gemini", "gemini-2.5-flash", &[("calls", 1), ("input_tokens", 1000)]);
    let expected = "calls 1, input_tokens 1000, output_tokens 500";
    assert_eq!(
        estimated(&shipped(), bounded, Some(500)),
        (Some("0.0003125".into()), expected.into())
    );
    let stated = call("gemini", "gemini-2.5-flash", &[("output_tokens", 7)]);
    assert_eq!(estimated(&shipped(), stated, Some(500)).1, "output_tokens 7");
}

#[test]
fn tokens_that_nobody_speaks_of_are_unknown_and_not_free() {
    let cost = |call: Call| estimated(&shipped(), call, None).0;
    assert_eq!(cost(call("gemini", "gemini-2.5-flash", &[("calls", 1)])), None);
    let none = call("gemini", "gemini-2.5-flash", &[("calls", 1), ("input_tokens", 0)]);
    assert_eq!(cost(none).as_deref(), Some("0"));
    assert_eq!(cost(call("tavily", "", &[("calls", 1)])).as_deref(), Some("0.001"));
}

#[test]
fn what_an_estimate_takes_for_unstated_is_the_manifests_choice() {
    let price = json!({
        "provider": "x", "model": "m", "each": {"input_tokens": "1", "output_tokens": "10"},
        "context_window": 100, "max_output_tokens": 20,
    });
    let usage = |estimates: serde_json::Value, max| {
        let policy = policy(json!({ "prices": [price], "estimates": estimates }));
        estimated(&policy, call("x", "m", &[("input_tokens", 30)]), max).1
    };
    let guesses = json!({"output_tokens": ["max_tokens", "max_output_tokens"]});
    assert_eq!(usage(guesses.clone(), Some(7)), "input_tokens 30, output_tokens 7");
    assert_eq!(usage(guesses, None), "input_tokens 30, output_tokens 20");
    let window = json!({"output_tokens": ["context_window"]});
    assert_eq!(usage(window, Some(7)), "input_tokens 30, output_tokens 70");
    assert_eq!(usage(json!({"output_tokens": [55]}), None), "input_tokens 30, output_tokens 55");
    assert_eq!(usage(json!({"output_tokens": []}), Some(7)), "input_tokens 30");
}

#[test]
fn the_price_list_comes_in_pages() {
    let prices: Vec<_> = (0..450)
        .map(|number| json!({"provider": "x", "model": format!("m{number}"), "each": {"calls": 1}}))
        .collect();
    let policy = policy(json!({ "prices": prices }));
    let pages: Vec<_> = (0..4).map(|page| policy.catalog(page).len()).collect();
    assert_eq!(pages, [200, 200, 50, 0]);
    assert_eq!(policy.catalog(1)[0].model, "m200");
}

#[test]
fn every_provider_of_the_seed_has_a_price() {
    let claims = shipped().claims();
    for provider in [
        "gemini",
        "openai",
        "anthropic",
        "mistral",
        "tavily",
        "serper",
        "metaphor",
        "exa",
        "firecrawl",
        "stability",
    ] {
        assert!(claims.iter().any(|it| it == provider), "{provider}");
    }
}

#[test]
fn it_says_how_estimates_of_plain_calls_come_about_and_is_asked_for_others() {
    let policy = shipped();
    let told = |usage: &[(&str, u32)], max_tokens| {
        policy.call_rates(&call("gemini", "gemini-2.5-flash", usage), max_tokens)
    };
    let rates = told(&[("input_tokens", 1), ("output_tokens", 1)], None).expect("both are stated");
    assert_eq!((rates.rates.len(), rates.filled_in.len()), (2, 0));
    let filled = told(&[("input_tokens", 1)], Some(9)).expect("a bound is stated").filled_in;
    assert_eq!((filled[0].quantity.as_str(), filled[0].amount), ("output_tokens", None));
    let parts = [("input_tokens", 5), ("cache_read_tokens", 2), ("output_tokens", 1)];
    assert_eq!(told(&parts, None), None, "a part may be too large");
    assert_eq!(policy.call_rates(&call("x", "nobody's", &[]), None), None);
}
