//! The open catalogue of litellm.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use rust_decimal::Decimal;
use serde_json::Value;

use super::catalogue::{Catalogue, Conditions, Match, Price, Provider, Rate, Rates};
use super::import::Unexpressed;
use super::json::{Object, count, decimal, list, object, text};
use super::source::{Source, members, value};

/// What there is called a cost, and of what it is here.
const COSTS: [(&str, &str); 33] = [
    ("input_cost_per_token", "input_tokens"),
    ("output_cost_per_token", "output_tokens"),
    ("cache_read_input_token_cost", "cache_read_tokens"),
    ("cache_creation_input_token_cost", "cache_write_tokens"),
    ("cache_creation_input_token_cost_above_1hr", "cache_write_1h_tokens"),
    ("input_cost_per_audio_token", "input_audio_tokens"),
    ("output_cost_per_audio_token", "output_audio_tokens"),
    ("cache_read_input_audio_token_cost", "cache_audio_read_tokens"),
    ("cache_creation_input_audio_token_cost", "cache_audio_write_tokens"),
    ("input_cost_per_image_token", "input_image_tokens"),
    ("output_cost_per_image_token", "output_image_tokens"),
    ("input_cost_per_video_token", "input_video_tokens"),
    ("output_cost_per_video_token", "output_video_tokens"),
    ("output_cost_per_reasoning_token", "output_reasoning_tokens"),
    ("citation_cost_per_token", "output_citation_tokens"),
    ("input_cost_per_character", "input_characters"),
    ("output_cost_per_character", "output_characters"),
    ("input_cost_per_request", "calls"),
    ("input_cost_per_query", "searches"),
    ("input_cost_per_second", "seconds"),
    ("output_cost_per_second", "output_seconds"),
    ("input_cost_per_audio_per_second", "input_audio_seconds"),
    ("input_cost_per_video_per_second", "input_video_seconds"),
    ("output_cost_per_video_per_second", "output_video_seconds"),
    ("input_cost_per_image", "input_images"),
    ("output_cost_per_image", "images"),
    ("input_cost_per_pixel", "input_pixels"),
    ("output_cost_per_pixel", "output_pixels"),
    ("ocr_cost_per_page", "pages"),
    ("annotation_cost_per_page", "annotated_pages"),
    ("ocr_cost_per_credit", "credits"),
    ("code_interpreter_cost_per_session", "code_executions"),
    ("web_search_cost_per_request", "web_searches"),
];

/// The endings of costs that hold for a service tier only, and the tier.
const SERVICE_TIERS: [(&str, &str); 4] =
    [("_priority", "priority"), ("_flex", "flex"), ("_batches", "batch"), ("_batch", "batch")];

const REGION: &str = "regional_processing_uplift_multiplier_";

/// Costs in another's word for what we call by one.
const SAME: [(&str, &str); 1] = [("input_cost_per_token_cache_hit", "cache_read_input_token_cost")];

/// What stands beside the models: how an entry is made, and when the last was.
const NO_MODELS: [&str; 2] = ["sample_spec", "last_updated"];

pub fn read(source: &Source<'_>, skipped: &mut Unexpressed) -> anyhow::Result<Catalogue> {
    let file = source.whole()?;
    let mut prices = Vec::new();
    let mut known = BTreeSet::new();
    for (name, raw) in members(file, "the file").with_context(|| source.place(file))?.iter() {
        if NO_MODELS.contains(&name) {
            continue;
        }
        let entry = value(raw)?;
        let entry = object(&entry, "the entry");
        let entry = entry.with_context(|| format!("{}: {name}", source.place(raw)))?;
        let (provider, model) = named(name, text(entry, "litellm_provider"));
        if provider.is_empty() {
            skipped.note(name, "an entry without a provider");
            continue;
        }
        if !known.insert((provider.clone(), model.to_lowercase())) {
            skipped.note(name, "another name of a model of the same provider");
            continue;
        }
        let other_name = (model != *name).then(|| name.to_owned());
        prices.extend(of_model(name, provider, model, other_name, entry, skipped));
    }
    let providers: BTreeSet<_> =
        prices.iter().map(|price: &Price| price.provider.clone()).collect();
    let about = |id: String| Provider { id, snapshots: true, ..Provider::default() };
    Ok(Catalogue {
        name: "litellm".into(),
        source: "BerriAI/litellm".into(),
        providers: providers.into_iter().map(about).collect(),
        prices,
        ..Catalogue::default()
    })
}

/// Our names of the provider and of the model: there, a provider has a name for each of its
/// interfaces, and most models have it in front of theirs.
fn named(name: &str, provider: &str) -> (String, String) {
    let id = match provider {
        "bedrock_converse" | "bedrock_mantle" => "bedrock",
        "cohere_chat" => "cohere",
        "exa_ai" => "exa",
        "azure_text" => "azure",
        "fireworks_ai-embedding-models" => "fireworks_ai",
        other => other.strip_prefix("text-completion-").unwrap_or(other),
    };
    let id = if id.starts_with("vertex_ai-") { "vertex_ai" } else { id };
    let model = match name.split_once('/') {
        Some((first, rest)) if first == provider || first == id => rest,
        _ => name,
    };
    (id.to_lowercase(), model.to_owned())
}

/// What an entry costs under one set of conditions.
#[derive(Clone, Default)]
struct Costs {
    base: Rates,
    tiers: BTreeMap<u64, Rates>,
}

fn of_model(
    name: &str,
    provider: String,
    model: String,
    other_name: Option<String>,
    entry: &Object,
    skipped: &mut Unexpressed,
) -> Vec<Price> {
    let Some((costs, of_tiers)) = costs(name, entry, skipped) else { return Vec::new() };
    if costs.base.is_empty() {
        skipped.note(name, "an entry without a price");
        return Vec::new();
    }
    let names: Vec<_> = [Some(&model), other_name.as_ref()].into_iter().flatten().collect();
    let is_own_only = other_name.is_none() && !model.contains('*');
    let matches =
        (!is_own_only).then(|| Match::Any(names.into_iter().map(|name| matching(name)).collect()));
    let price = Price {
        provider,
        matches,
        model,
        context_window: entry.get("max_input_tokens").and_then(count),
        max_output_tokens: entry.get("max_output_tokens").and_then(count),
        ..Price::default()
    };
    if let Some(factors) = entry.get("provider_specific_entry").and_then(Value::as_object) {
        let numbers = factors.iter().filter(|(_, factor)| factor.is_number());
        for (what, factor) in numbers {
            skipped.note(name, format!("a factor of {factor} for `{what}`"));
        }
    }
    let mut prices = vec![with(&price, &costs, Conditions::default())];
    for (tier, own) in &of_tiers {
        let conditions =
            Conditions { service_tier: vec![(*tier).to_owned()], ..Conditions::default() };
        prices.push(with(&price, &overlaid(&costs, own), conditions));
    }
    for (region, factor) in
        entry.iter().filter_map(|(key, value)| Some((key.strip_prefix(REGION)?, decimal(value)?)))
    {
        for mut regional in prices.clone().into_iter().filter(|it| it.conditions.region.is_empty())
        {
            let times = |rates: &Rates| scaled(rates, factor);
            let tiers = regional.tiers.iter().map(|(above, rates)| Some((*above, times(rates)?)));
            match (times(&regional.rates), tiers.collect::<Option<_>>()) {
                (Some(rates), Some(tiers)) => {
                    (regional.rates, regional.tiers) = (rates, tiers);
                    regional.conditions.region = vec![region.to_owned()];
                    prices.push(regional);
                }
                _ => skipped.note(name, format!("a factor for the region {region}")),
            }
        }
    }
    prices
}

/// A name; a star in it stands for any region.
fn matching(name: &str) -> Match {
    if !name.contains('*') {
        return Match::Pattern(name.to_owned());
    }
    let escaped = |c: char| match c {
        '*' => "[^/]*".to_owned(),
        c if c.is_alphanumeric() => c.to_string(),
        c => format!("\\{c}"),
    };
    Match::Regex(format!("^{}$", name.chars().map(escaped).collect::<String>()))
}

fn with(price: &Price, costs: &Costs, conditions: Conditions) -> Price {
    Price { rates: costs.base.clone(), tiers: costs.tiers.clone(), conditions, ..price.clone() }
}

/// A service tier says only what costs otherwise.
fn overlaid(costs: &Costs, own: &Costs) -> Costs {
    let mut all = costs.clone();
    all.base.extend(own.base.clone());
    // Where the tier has prices of its own, the standard ones above a threshold are not its.
    for rates in all.tiers.values_mut() {
        rates.retain(|quantity, _| !own.base.contains_key(quantity));
    }
    for (above, rates) in &own.tiers {
        all.tiers.entry(*above).or_default().extend(rates.clone());
    }
    let is_rated = |quantity: &String| all.base.contains_key(quantity);
    for rates in all.tiers.values_mut() {
        rates.retain(|quantity, _| is_rated(quantity));
    }
    all.tiers.retain(|_, rates| !rates.is_empty());
    all
}

fn scaled(rates: &Rates, factor: Decimal) -> Option<Rates> {
    let scaled = |(quantity, rate): (&String, &Rate)| {
        let amount = rate.amount.checked_mul(factor)?;
        // What has more digits than fit is rounded by that, and then is another number.
        let is_exact = rate.amount.scale() + factor.scale() <= Decimal::MAX_SCALE;
        let rate = Rate::new(amount, rate.per.count()).filter(|_| is_exact)?;
        Some((quantity.clone(), rate))
    };
    rates.iter().map(scaled).collect()
}

/// The standard costs, and what is otherwise in each service tier; none where a cost cannot be
/// said, since the rest would be a price that is too low.
fn costs(
    name: &str,
    entry: &Object,
    skipped: &mut Unexpressed,
) -> Option<(Costs, BTreeMap<&'static str, Costs>)> {
    let (mut standard, mut of_tiers) = (Costs::default(), BTreeMap::<_, Costs>::new());
    let mode = text(entry, "mode");
    for (key, value) in entry {
        if key.starts_with(REGION) || !key.contains("cost") && key != "tiered_pricing" {
            continue;
        }
        match key.as_str() {
            "tiered_pricing" => {
                ranges(name, value, &mut standard, skipped);
                continue;
            }
            "search_context_cost_per_query" => {
                web_searches(name, value, &mut standard, skipped);
                continue;
            }
            _ => {}
        }
        let Some((quantity, above, tier)) = meaning(key, mode) else {
            if decimal(value).is_some_and(|cost| !cost.is_zero()) {
                skipped.note(name, format!("`{key}`"));
            }
            continue;
        };
        if value.is_null() {
            continue;
        }
        let Some(cost) = decimal(value) else {
            skipped.note(name, format!("`{key}` of {value}"));
            return None;
        };
        let Some((rate, is_exact)) = of_one(cost, quantity) else {
            skipped.note(name, format!("`{key}` of {value}"));
            return None;
        };
        if !is_exact {
            skipped.note(name, format!("{ROUNDED}: `{key}`"));
        }
        let costs = match tier {
            None => &mut standard,
            Some(tier) => of_tiers.entry(tier).or_default(),
        };
        let rates = match above {
            None => &mut costs.base,
            Some(above) => costs.tiers.entry(above).or_default(),
        };
        rates.entry(quantity.to_owned()).or_insert(rate);
    }
    if let Some(own) = standard.base.remove("output_seconds") {
        // Sound that goes in and sound that comes out are not both paid for.
        let seconds = standard.base.entry("seconds".into()).or_insert(own);
        if seconds.amount.is_zero() {
            *seconds = own;
        }
    }
    let base = standard.base.clone();
    for rates in standard.tiers.values_mut() {
        rates.retain(|quantity, _| base.contains_key(quantity));
    }
    standard.tiers.retain(|_, rates| !rates.is_empty());
    Some((standard, of_tiers))
}

/// Of what a cost is, above how many input tokens, and in which service tier.
fn meaning(key: &str, mode: &str) -> Option<(&'static str, Option<u64>, Option<&'static str>)> {
    let of_tier = SERVICE_TIERS
        .into_iter()
        .find_map(|(ending, tier)| Some((key.strip_suffix(ending)?, tier)));
    let (key, tier) = of_tier.map_or((key, None), |(key, tier)| (key, Some(tier)));
    let above = key.strip_suffix("k_tokens").and_then(|key| {
        let (key, thousands) = key.rsplit_once("_above_")?;
        Some((key, thousands.parse::<u64>().ok()?.checked_mul(1_000)?))
    });
    let (key, above) = above.map_or((key, None), |(key, above)| (key, Some(above)));
    let key = SAME.into_iter().find(|(other, _)| *other == key).map_or(key, |(_, key)| key);
    let (_, quantity) = COSTS.into_iter().find(|(cost, _)| *cost == key)?;
    let makes_images = matches!(mode, "image_generation" | "image_edit");
    let quantity = if quantity == "input_images" && makes_images { "images" } else { quantity };
    Some((quantity, above, tier))
}

/// A cost of one in the unit in which people say it.
///
/// With the nearest that there is goes whether it is the cost.
fn of_one(cost: Decimal, quantity: &str) -> Option<(Rate, bool)> {
    let (rate, is_exact) = Rate::nearest(cost, 1)?;
    let is_small = quantity.ends_with("_tokens") || quantity.ends_with("_characters");
    let in_millions = is_small.then(|| rate.amount.checked_mul(Decimal::from(1_000_000))).flatten();
    let in_millions = in_millions.and_then(|cost| Rate::new(cost.normalize(), 1_000_000));
    Some((in_millions.filter(|it| it.of_one() == rate.of_one()).unwrap_or(rate), is_exact))
}

/// `[{"range": [0, 256000.0], "input_cost_per_token": …}, …]`
fn ranges(name: &str, value: &Value, costs: &mut Costs, skipped: &mut Unexpressed) {
    for range in value.as_array().into_iter().flatten().filter_map(Value::as_object) {
        let from = list(range, "range").first().and_then(count);
        let from = match (from, range.contains_key("range")) {
            (Some(from), _) => from,
            (None, true) => {
                skipped.note(name, format!("the range {}", Value::from(range.clone())));
                continue;
            }
            (None, false) => {
                skipped.note(name, "prices by something else than input tokens: the dearest taken");
                0
            }
        };
        let rates = match from {
            0 => &mut costs.base,
            above => costs.tiers.entry(above).or_default(),
        };
        for (key, value) in range.iter().filter(|(key, _)| !key.ends_with("range")) {
            let known =
                meaning(key, "").filter(|(_, above, tier)| above.is_none() && tier.is_none());
            let rate = known.and_then(|(quantity, ..)| {
                let (rate, is_exact) = of_one(decimal(value)?, quantity)?;
                Some((quantity, rate, is_exact))
            });
            let Some((quantity, rate, is_exact)) = rate else {
                skipped.note(name, format!("`{key}` of {value} in a range"));
                continue;
            };
            if !is_exact {
                skipped.note(name, format!("{ROUNDED}: `{key}`"));
            }
            let taken = rates.entry(quantity.to_owned()).or_insert(rate);
            if range.contains_key("range") || taken.of_one() < rate.of_one() {
                *taken = rate;
            }
        }
    }
}

/// The money of the service has as many.
const ROUNDED: &str = "a price with more than 18 decimals, rounded";

/// A search costs by how much of what it finds goes into the model: here, as usual there.
fn web_searches(name: &str, value: &Value, costs: &mut Costs, skipped: &mut Unexpressed) {
    let Some(sizes) = value.as_object() else { return };
    let cost = |size: &str| decimal(sizes.get(&format!("search_context_size_{size}"))?);
    let all: BTreeSet<_> = ["low", "medium", "high"].into_iter().filter_map(cost).collect();
    if all.len() > 1 {
        skipped.note(name, "searches that cost by the size of what they find: taken as medium");
    }
    let usual = cost("medium").or_else(|| all.first().copied());
    match usual.and_then(|cost| Rate::new(cost, 1)) {
        Some(rate) => drop(costs.base.insert("web_searches".into(), rate)),
        None => skipped.note(name, format!("searches at {value}")),
    }
}
