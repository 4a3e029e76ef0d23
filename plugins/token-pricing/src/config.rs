//! Price lists and extractors as an operator writes them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tollgate_plugin::{Decimal, Pointer, Problem, Problems};

use crate::date::Date;
use crate::quantity;

/// The `[config]` table of the manifest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) prices: Vec<Price>,
    #[serde(default)]
    pub(crate) extractors: Vec<Extractor>,
}

/// The rates of a model, or of a pattern of models, or of a provider without models.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    pub(crate) provider: String,
    #[serde(default)]
    pub(crate) model: String,
    #[serde(default)]
    per_million: BTreeMap<String, Decimal>,
    #[serde(default)]
    per_thousand: BTreeMap<String, Decimal>,
    #[serde(default)]
    each: BTreeMap<String, Decimal>,
    #[serde(default)]
    pub(crate) description: String,
    /// Since when the rates hold; absent for always.
    pub(crate) effective_date: Option<Date>,
    /// Where the operator has the rates from. Nobody but the next operator reads it.
    #[serde(default, rename = "source")]
    _source: String,
}

/// Where a provider's answer reports its usage.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extractor {
    pub(crate) provider: String,
    pub(crate) flavors: Vec<String>,
    /// JSON Pointer to the model that answered.
    pub(crate) model: Option<String>,
    /// JSON Pointers to the amounts that add up to each quantity.
    pub(crate) usage: BTreeMap<String, Vec<String>>,
    /// JSON Pointers under which a stream's chunks may hold the answer, besides at their root.
    #[serde(default)]
    pub(crate) envelopes: Vec<String>,
}

impl Price {
    /// Each rated quantity with the price of one; a rate is dropped where that is too fine to be
    /// exact, which [`check`] reports.
    pub(crate) fn rates(&self) -> impl Iterator<Item = (&str, Decimal)> {
        self.tables().into_iter().flat_map(|(_, table, digits)| {
            table.iter().filter_map(move |(quantity, rate)| {
                Some((quantity.as_str(), rate.shifted_right(digits).ok()?))
            })
        })
    }

    /// The tables of rates, each with its name and by how many digits its rates are larger than
    /// the price of one.
    fn tables(&self) -> [(&str, &BTreeMap<String, Decimal>, u8); 3] {
        [
            ("per_million", &self.per_million, 6),
            ("per_thousand", &self.per_thousand, 3),
            ("each", &self.each, 0),
        ]
    }
}

/// Finds all that is wrong with a configuration whose types are right.
pub(crate) fn check(config: &Config) -> Result<(), Vec<Problem>> {
    let mut problems = Problems::default();
    let mut entries = BTreeSet::new();
    for (price, at) in config.prices.iter().zip(Pointer::root().to("prices").items()) {
        let entry = (&price.provider, price.model.to_ascii_lowercase(), price.effective_date);
        let message = "another entry prices this model from the same date";
        problems.unless(entries.insert(entry), &at, message);
        check_price(price, &at, &mut problems);
    }
    let mut flavors = BTreeSet::new();
    for (extractor, at) in config.extractors.iter().zip(Pointer::root().to("extractors").items()) {
        for (flavor, at) in extractor.flavors.iter().zip(at.to("flavors").items()) {
            let is_new = flavors.insert((&extractor.provider, flavor));
            problems.unless(is_new, &at, "another extractor reads this flavor of the provider");
        }
        check_extractor(extractor, &at, &mut problems);
    }
    problems.into_result()
}

fn check_price(price: &Price, at: &Pointer, problems: &mut Problems) {
    check_provider(&price.provider, at, problems);
    let before_star = price.model.strip_suffix('*').unwrap_or(&price.model);
    let message = "`*` stands at the end of a pattern only";
    problems.unless(!before_star.contains('*'), &at.to("model"), message);
    let mut rated = BTreeSet::new();
    for (name, table, digits) in price.tables() {
        for (quantity, rate) in table {
            let at = at.to(name).to(quantity);
            problems.unless(rated.insert(quantity), &at, "is rated twice in this entry");
            problems.unless(!rate.is_negative(), &at, "must not be negative");
            let exact = rate.shifted_right(digits).is_ok();
            problems.unless(exact, &at, "is too fine to be exact for one");
            let message = "is part of a total that this plugin cannot take it out of";
            problems.unless(!quantity::is_unknown_part(quantity), &at, message);
        }
    }
    problems.unless(!rated.is_empty(), at, "needs a rate: per_million, per_thousand or each");
}

fn check_extractor(extractor: &Extractor, at: &Pointer, problems: &mut Problems) {
    check_provider(&extractor.provider, at, problems);
    check_path(extractor.model.as_deref().unwrap_or("/"), &at.to("model"), problems);
    check_paths(&extractor.envelopes, &at.to("envelopes"), problems);
    let at = at.to("usage");
    problems.unless(!extractor.usage.is_empty(), &at, "must name a quantity");
    for (quantity, paths) in &extractor.usage {
        problems.unless(!paths.is_empty(), &at.to(quantity), "must name a path");
        check_paths(paths, &at.to(quantity), problems);
    }
}

fn check_provider(provider: &str, entry: &Pointer, problems: &mut Problems) {
    let is_id = !provider.is_empty() && provider == provider.to_lowercase();
    problems.unless(is_id, &entry.to("provider"), "must be a provider id in lower case");
}

fn check_paths(paths: &[String], at: &Pointer, problems: &mut Problems) {
    for (path, at) in paths.iter().zip(at.items()) {
        check_path(path, &at, problems);
    }
}

fn check_path(path: &str, at: &Pointer, problems: &mut Problems) {
    problems.unless(path.starts_with('/'), at, "must be a JSON Pointer, such as /usage/total");
}
