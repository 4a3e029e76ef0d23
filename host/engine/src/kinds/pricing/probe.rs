//! Calls on which a pricing policy is tried before it is active.

use std::collections::BTreeSet;

use tollgate_domain::{
    Call, Estimate, Extraction, Listing, Metadata, ProviderId, QuantityName, Quote, SubjectPath,
    Timestamp, Usage,
};

use super::{Answer, Average, PriceList, Pricing, estimate, extract, price, price_in_words};
use crate::bad_output::BadOutput;
use crate::fault::Fault;
use crate::instance::Instance;

#[derive(PartialEq)]
pub(crate) struct Answers {
    quotes: Vec<Answer<Quote>>,
    estimates: Vec<Answer<Estimate>>,
    extractions: Vec<Answer<Extraction>>,
}

/// 2025-03-04T05:06:07Z.
const AT: Timestamp = Timestamp::from_micros(1_741_064_767_000_000);

/// Lines of the price list that are tried, from each of its ends.
const LISTINGS_MAX: usize = 32;

/// Answers that a provider may give, or somebody who is not one.
const RESPONSES: [&str; 3] = [
    "{}",
    "[]",
    r#"{"model":"probe","usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15}}"#,
];

/// Prices a priced and an empty usage of the first and last lines of the list, and of a model
/// that nobody has; reads an answer of each provider.
pub(super) fn run(instance: &mut Instance<Pricing>, list: &PriceList) -> Result<Answers, Fault> {
    let mut answers = Answers { quotes: vec![], estimates: vec![], extractions: vec![] };
    for call in calls(list) {
        let quote = price(instance, &call, AT)?;
        if quote != price_in_words(instance, &call, AT)? {
            let problem = "is not what `prices.price` says";
            return Err(BadOutput::new("coded-prices.price", problem).into());
        }
        answers.quotes.push(quote);
        answers.estimates.push(estimate(instance, &call, AT, &Average::default())?);
    }
    for call in calls(list).into_iter().filter(|_| list.asks_average).take(AVERAGES_MAX) {
        let call = Call { usage: Usage::new([]).unwrap_or(call.usage), ..call };
        answers.estimates.push(estimate(instance, &call, AT, &average())?);
    }
    for provider in providers(list) {
        for response in RESPONSES {
            answers.extractions.push(extract(instance, &provider, "default", response)?);
        }
    }
    Ok(answers)
}

/// Calls whose estimate is tried from an average.
const AVERAGES_MAX: usize = 8;

fn average() -> Average {
    let totals = [("input_tokens", 1_234), ("output_tokens", 567)];
    let named = totals.into_iter().filter_map(|(name, amount)| Some((name.parse().ok()?, amount)));
    Average(named.collect())
}

fn providers(list: &PriceList) -> BTreeSet<ProviderId> {
    let unknown = "probe".parse().ok();
    list.claims.iter().cloned().chain(unknown).collect()
}

fn calls(list: &PriceList) -> Vec<Call> {
    let Ok(subject) = "probe".parse::<SubjectPath>() else { return Vec::new() };
    let lines = list.listings.iter();
    let tried = lines.clone().take(LISTINGS_MAX).chain(lines.rev().take(LISTINGS_MAX));
    let mut calls = Vec::new();
    for line in tried {
        for amount in [0, 1_234] {
            calls.extend(call(&subject, &line.provider, &line.model, usage(line, amount)));
        }
    }
    for provider in providers(list) {
        calls.extend(call(&subject, &provider, "not-a-model", Usage::new([]).ok()));
    }
    calls
}

/// As much of everything that the line prices; totals that it does not name contain their parts.
fn usage(line: &Listing, amount: u64) -> Option<Usage> {
    let totals = ["input_tokens", "output_tokens"].map(|name| name.parse::<QuantityName>());
    let mut names: BTreeSet<_> = totals.into_iter().flatten().collect();
    names.extend(line.rates.iter().map(|(quantity, _)| quantity.clone()));
    let is_total = |name: &QuantityName| matches!(name.as_str(), "input_tokens" | "output_tokens");
    let of_each = |name: QuantityName| {
        let amount = if is_total(&name) { amount * 3 } else { amount };
        (name, amount)
    };
    Usage::new(names.into_iter().map(of_each)).ok()
}

fn call(
    subject: &SubjectPath,
    provider: &ProviderId,
    model: &str,
    usage: Option<Usage>,
) -> Option<Call> {
    Some(Call {
        subject: subject.clone(),
        provider: provider.clone(),
        model: model.parse().ok(),
        endpoint: None,
        usage: usage?,
        max_tokens: Some(1_000),
        features: Vec::new(),
        service_tier: None,
        region: None,
        metadata: Metadata::new(),
    })
}
