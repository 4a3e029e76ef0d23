//! Calls on which a pricing policy is tried before it is active.

use std::collections::BTreeSet;

use tollgate_domain::{
    Call, Estimate, Extraction, Listing, Metadata, ProviderId, QuantityName, Quote, SubjectPath,
    Timestamp, Usage,
};

use super::{
    Answer, Average, PriceList, Pricing, Rates, compare, estimate, extract, learn, price,
    price_in_words,
};
use crate::bad_output::BadOutput;
use crate::fault::Fault;
use crate::instance::Instance;

#[derive(PartialEq)]
pub(crate) struct Answers {
    quotes: Vec<Answer<Quote>>,
    estimates: Vec<Answer<Estimate>>,
    rates: Vec<Option<Rates>>,
    extractions: Vec<Answer<Extraction>>,
}

/// 2025-03-04T05:06:07Z.
const AT: Timestamp = Timestamp::from_micros(1_741_064_767_000_000);

/// Lines of the price list that are tried, from each of its ends.
const LISTINGS_MAX: usize = 32;

/// Of so many lines that are tried, one is tried with other amounts as well.
const ALIKE_EVERY: usize = 8;

/// A model that is on no list.
const NOBODYS_MODEL: &str = "not-a-model";

/// Answers that a provider may give, or somebody who is not one.
const RESPONSES: [&str; 3] = [
    "{}",
    "[]",
    r#"{"model":"probe","usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15}}"#,
];

/// Prices a priced and an empty usage of the first and last lines of the list, and of a model
/// that nobody has; reads an answer of each provider.
pub(super) fn run(instance: &mut Instance<Pricing>, list: &PriceList) -> Result<Answers, Fault> {
    let mut answers =
        Answers { quotes: vec![], estimates: vec![], rates: vec![], extractions: vec![] };
    for call in calls(list) {
        let quote = price(instance, &call, AT)?;
        if quote != price_in_words(instance, &call, AT)? {
            let problem = "is not what `prices.price` says";
            return Err(BadOutput::new("coded-prices.price", problem).into());
        }
        answers.quotes.push(quote);
        answers.estimates.push(estimate(instance, &call, AT, &Average::default())?);
    }
    for [few, many] in alike(list) {
        let (of_few, rates) = learn(instance, &few, AT, &Average::default())?;
        // What is told for one holds for the other, and for what either cost.
        let of_many = estimate(instance, &many, AT, &Average::default())?;
        let reckoned = rates.as_ref().and_then(|rates| rates.estimate(&many, AT));
        compare(reckoned, &of_many, "estimate")?;
        let price = price(instance, &many, AT)?;
        let reckoned = rates.as_ref().and_then(|rates| rates.quote(&many, AT));
        compare(reckoned, &price, "price")?;
        answers.estimates.extend([of_few, of_many]);
        answers.quotes.push(price);
        answers.rates.push(rates);
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

/// Calls of each line that differ in their amounts alone, where the policy says how the estimates
/// of such calls come about.
fn alike(list: &PriceList) -> Vec<[Call; 2]> {
    let Ok(subject) = "probe".parse::<SubjectPath>() else { return Vec::new() };
    let totals = |input, output| {
        let totals = [("input_tokens", input), ("output_tokens", output)];
        let named =
            totals.into_iter().filter_map(|(name, amount)| Some((name.parse().ok()?, amount)));
        Usage::new(named).ok()
    };
    let of_model = |provider: &ProviderId, model: &str| {
        let call = |usage| call(&subject, provider, model, usage);
        Some([call(totals(10, 5))?, call(totals(123_456, 1_234))?])
    };
    if list.rated_by.is_none() {
        return Vec::new();
    }
    let listed =
        tried(list).step_by(ALIKE_EVERY).filter_map(|line| of_model(&line.provider, &line.model));
    let unlisted = providers(list).into_iter().filter_map(|it| of_model(&it, NOBODYS_MODEL));
    listed.chain(unlisted).collect()
}

/// The lines that are tried.
fn tried(list: &PriceList) -> impl Iterator<Item = &Listing> {
    let lines = list.listings.iter();
    lines.clone().take(LISTINGS_MAX).chain(lines.rev().take(LISTINGS_MAX))
}

fn calls(list: &PriceList) -> Vec<Call> {
    let Ok(subject) = "probe".parse::<SubjectPath>() else { return Vec::new() };
    let mut calls = Vec::new();
    for line in tried(list) {
        for amount in [0, 1_234] {
            calls.extend(call(&subject, &line.provider, &line.model, usage(line, amount)));
        }
    }
    for provider in providers(list) {
        calls.extend(call(&subject, &provider, NOBODYS_MODEL, Usage::new([]).ok()));
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
