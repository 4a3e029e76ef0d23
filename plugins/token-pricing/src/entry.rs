//! A model of the price list: what holds for it when, and for whom.

use std::cmp::Reverse;

use tollgate_plugin::Call;
use tollgate_plugin::pricing::{
    Choice, CodedQuote, Failure, Listing, Quote, Rate, TermRate, Terms, Tier,
};

use crate::config::{self, Price};
use crate::hours::Hours;
use crate::rates::{Layouts, Rates};

/// All entries of one model, or of a provider without models.
pub(crate) struct Model {
    /// For people: the model as the operator wrote it, or the provider.
    pub(crate) name: String,
    /// Its position among all models of the price lists.
    pub(crate) position: u32,
    /// Those with the most conditions first; among equals the newest, and those for a time of day.
    entries: Vec<Entry>,
    pub(crate) context_window: Option<u32>,
    pub(crate) max_output_tokens: Option<u32>,
}

/// Rates that hold for a while, in milliseconds.
pub(crate) struct Lasting<'r> {
    pub(crate) rates: &'r Rates,
    pub(crate) since: u64,
    pub(crate) until: Option<u64>,
}

#[derive(Clone)]
struct Entry {
    /// Whether it goes before those of all catalogues.
    overrides: bool,
    since: u64,
    hours: Option<Hours>,
    /// Which facts must have one of which values.
    facts: Vec<(String, Vec<String>)>,
    rates: Rates,
}

impl Model {
    pub(crate) fn new<'c>(prices: &[&'c Price], layouts: &mut Layouts<'c, '_>) -> Self {
        let name = prices.first().map(|price| match price.model.as_str() {
            "" => price.provider.clone(),
            model => model.to_owned(),
        });
        let mut entries: Vec<_> = prices.iter().map(|price| Entry::new(price, layouts)).collect();
        sort(&mut entries);
        Self {
            name: name.unwrap_or_default(),
            position: 0,
            entries,
            context_window: prices.iter().find_map(|price| price.context_window),
            max_output_tokens: prices.iter().find_map(|price| price.max_output_tokens),
        }
    }

    /// Puts this model's prices before those that catalogues have for it: where none of these
    /// holds, those do.
    pub(crate) fn put_over(&mut self, under: Option<&Self>) {
        self.entries.iter_mut().for_each(|entry| entry.overrides = true);
        let Some(under) = under else { return };
        self.entries.extend(under.entries.iter().cloned());
        sort(&mut self.entries);
        self.context_window = self.context_window.or(under.context_window);
        self.max_output_tokens = self.max_output_tokens.or(under.max_output_tokens);
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

    /// The same, and from when until when they are those of all such calls; `None` where that
    /// depends on the time of day.
    pub(crate) fn lasting_rates(&self, call: &Call) -> Option<Lasting<'_>> {
        let rates = self.rates(call)?;
        if self.entries.len() == 1 {
            return Some(Lasting { rates, since: 0, until: None });
        }
        let of_caller = || self.entries.iter().filter(|entry| entry.is_for(call));
        if of_caller().any(|entry| entry.hours.is_some()) {
            return None;
        }
        let (past, future): (Vec<_>, Vec<_>) =
            of_caller().map(|entry| entry.since).partition(|since| *since <= call.at);
        let since = past.into_iter().max().unwrap_or_default();
        Some(Lasting { rates, since, until: future.into_iter().min() })
    }

    /// Whether any entry is for the caller.
    pub(crate) fn is_for(&self, call: &Call) -> bool {
        self.entries.iter().any(|entry| entry.is_for(call))
    }

    pub(crate) fn quote(&self, rates: &Rates, call: &Call) -> Result<Quote, Failure> {
        Ok(Quote { entry: self.name.clone(), charges: rates.charges(call)? })
    }

    pub(crate) fn coded_quote(&self, rates: &Rates, call: &Call) -> Result<CodedQuote, Failure> {
        Ok(CodedQuote { entry: self.position, charges: rates.coded_charges(call)? })
    }
}

/// Puts entries into the order in which they are asked.
fn sort(entries: &mut [Entry]) {
    entries.sort_by_key(|entry| {
        let since = (Reverse(entry.since), entry.hours.is_none());
        (Reverse(entry.facts.len()), !entry.overrides, since)
    });
}

impl Entry {
    fn new<'c>(price: &'c Price, layouts: &mut Layouts<'c, '_>) -> Self {
        let fact = |name: &str, values: &config::OneOrMore| (name.into(), values.list().to_vec());
        let tier = price.service_tier.iter().map(|values| fact("service-tier", values));
        let region = price.region.iter().map(|values| fact("region", values));
        let metadata =
            price.metadata.iter().map(|(key, values)| fact(&format!("metadata.{key}"), values));
        Self {
            overrides: false,
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

/// When and for whom the entry holds, as data: at this position of its page. None where it holds
/// always, for all, and at the same rates.
pub(crate) fn terms(price: &Price, position: usize) -> Option<Terms> {
    let texts = |it: &Option<config::OneOrMore>| it.as_ref().map(|it| it.list().to_vec());
    let choice = |(key, values): (&String, &config::OneOrMore)| Choice {
        key: key.clone(),
        values: values.list().to_vec(),
    };
    let terms = Terms {
        line: u32::try_from(position).ok()?,
        tiers: price.tiers.iter().map(tier).collect(),
        hours: price.hours.map(Hours::as_terms),
        service_tiers: texts(&price.service_tier).unwrap_or_default(),
        regions: texts(&price.region).unwrap_or_default(),
        metadata: price.metadata.iter().map(choice).collect(),
        context_window: price.context_window,
        max_output_tokens: price.max_output_tokens,
    };
    let is_plain = terms.tiers.is_empty()
        && terms.hours.is_none()
        && terms.service_tiers.is_empty()
        && terms.regions.is_empty()
        && terms.metadata.is_empty()
        && terms.context_window.is_none()
        && terms.max_output_tokens.is_none();
    (!is_plain).then_some(terms)
}

fn tier(tier: &config::Tier) -> Tier {
    let rates = config::rates(tier.tables())
        .map(|(quantity, unit_price)| TermRate { quantity: quantity.into(), unit_price });
    let above_input_tokens = tier.above.to_string().parse().unwrap_or_default();
    Tier { above_input_tokens, rates: rates.collect() }
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
    let conditions = conditions.join(", ");
    match price.description.as_str() {
        // A line that was read and written back has them already.
        description if description.contains(&conditions) => description.to_owned(),
        "" => conditions,
        description => format!("{description} ({conditions})"),
    }
}
