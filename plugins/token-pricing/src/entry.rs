//! A model of the price list: what holds for it when, and for whom.

use std::cmp::Reverse;

use tollgate_plugin::Call;
use tollgate_plugin::pricing::{Failure, Listing, Quote, Rate};

use crate::config::{self, Price};
use crate::hours::Hours;
use crate::rates::{Layouts, Rates};

/// All entries of one model, or of a provider without models.
pub(crate) struct Model {
    /// For people: the model as the operator wrote it, or the provider.
    pub(crate) name: String,
    /// Those with the most conditions first; among equals the newest, and those for a time of day.
    entries: Vec<Entry>,
    pub(crate) context_window: Option<u32>,
    pub(crate) max_output_tokens: Option<u32>,
}

struct Entry {
    since: u64,
    hours: Option<Hours>,
    /// Which facts must have one of which values.
    facts: Vec<(String, Vec<String>)>,
    rates: Rates,
}

impl Model {
    pub(crate) fn new<'c>(prices: &[&'c Price], layouts: &mut Layouts<'c>) -> Self {
        let name = prices.first().map(|price| match price.model.as_str() {
            "" => price.provider.clone(),
            model => model.to_owned(),
        });
        let mut entries: Vec<_> = prices.iter().map(|price| Entry::new(price, layouts)).collect();
        entries.sort_by_key(|entry| {
            (Reverse(entry.facts.len()), Reverse(entry.since), entry.hours.is_none())
        });
        Self {
            name: name.unwrap_or_default(),
            entries,
            context_window: prices.iter().find_map(|price| price.context_window),
            max_output_tokens: prices.iter().find_map(|price| price.max_output_tokens),
        }
    }

    /// The rates for a call. A model that is older than its first price had that price.
    pub(crate) fn rates(&self, call: &Call) -> Option<&Rates> {
        if let [only] = &self.entries[..]
            && only.facts.is_empty()
        {
            return Some(&only.rates);
        }
        let mut of_caller = self.entries.iter().filter(|entry| entry.is_for(call));
        let holds = |entry: &&Entry| {
            entry.since <= call.at && entry.hours.is_none_or(|hours| hours.include(call.at))
        };
        let entry = of_caller.clone().find(holds).or_else(|| of_caller.next_back())?;
        Some(&entry.rates)
    }

    pub(crate) fn quote(&self, rates: &Rates, call: &Call) -> Result<Quote, Failure> {
        Ok(Quote { entry: self.name.clone(), charges: rates.charges(call)? })
    }
}

impl Entry {
    fn new<'c>(price: &'c Price, layouts: &mut Layouts<'c>) -> Self {
        let fact = |name: &str, values: &config::OneOrMore| (name.into(), values.list().to_vec());
        let tier = price.service_tier.iter().map(|values| fact("service-tier", values));
        let region = price.region.iter().map(|values| fact("region", values));
        let metadata =
            price.metadata.iter().map(|(key, values)| fact(&format!("metadata.{key}"), values));
        Self {
            since: price.effective_date.map_or(0, |date| date.starts_at()),
            hours: price.hours,
            facts: tier.chain(region).chain(metadata).collect(),
            rates: Rates::new(price.tables(), &price.tiers, layouts),
        }
    }

    fn is_for(&self, call: &Call) -> bool {
        self.facts.iter().all(|(name, values)| {
            call.fact(name).is_some_and(|fact| values.iter().any(|value| value == fact))
        })
    }
}

/// The entry as customers see it.
pub(crate) fn listing(price: &Price) -> Listing {
    let rates = config::rates(price.tables())
        .map(|(quantity, unit_price)| Rate { quantity: quantity.into(), unit_price });
    Listing {
        provider: price.provider.clone(),
        model: price.model.clone(),
        rates: rates.collect(),
        description: described(price),
        effective_date: price.effective_date.map(|date| date.to_string()).unwrap_or_default(),
    }
}

/// The description, with the conditions that the list has no place for.
fn described(price: &Price) -> String {
    let texts = |values: &config::OneOrMore| values.list().join(" or ");
    let mut conditions = Vec::new();
    conditions.extend(price.service_tier.iter().map(|tier| format!("{} tier", texts(tier))));
    conditions.extend(price.region.iter().map(|region| format!("in {}", texts(region))));
    conditions.extend(price.metadata.iter().map(|(key, value)| format!("{key} {}", texts(value))));
    conditions.extend(price.hours.map(|hours| format!("{hours} UTC")));
    conditions.extend(
        price.tiers.iter().map(|tier| format!("other rates above {} input tokens", tier.above)),
    );
    match (price.description.as_str(), conditions.is_empty()) {
        (description, true) => description.to_owned(),
        ("", false) => conditions.join(", "),
        (description, false) => format!("{description} ({})", conditions.join(", ")),
    }
}
