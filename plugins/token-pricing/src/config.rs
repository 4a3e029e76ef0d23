//! Catalogues as an operator writes them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, de};
use tollgate_plugin::Decimal;

use crate::date::Date;
use crate::hours::Hours;
use crate::matching::Match;
use crate::path::Path;
use crate::quantity::Dimensions;

/// The `[config]` table of the manifest: a catalogue of its own, those that it includes, and what
/// holds for all of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    providers: Vec<Provider>,
    #[serde(default)]
    prices: Vec<Price>,
    #[serde(default)]
    extractors: Vec<Extractor>,
    #[serde(default)]
    quantities: BTreeMap<String, Dimensions>,
    /// Prices that go before those of all catalogues, for exactly their providers and models: the
    /// host puts those here that are set at runtime.
    #[serde(default)]
    overrides: Vec<Price>,
    /// What the manifest includes, in the order of the files' names.
    #[serde(default)]
    pub(crate) included: Vec<Catalogue>,
    #[serde(default)]
    pub(crate) estimates: Estimates,
    /// What a call costs that no entry prices.
    pub(crate) fallback: Option<Rates>,
}

/// A list of prices, and where the answers of its providers report usage.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Catalogue {
    /// For people.
    #[serde(default, rename = "name")]
    _name: String,
    #[serde(default, rename = "source")]
    _source: String,
    #[serde(default)]
    pub(crate) providers: Vec<Provider>,
    #[serde(default)]
    pub(crate) prices: Vec<Price>,
    #[serde(default)]
    pub(crate) extractors: Vec<Extractor>,
    /// Quantities whose names do not tell what they are parts of, with their dimensions.
    #[serde(default)]
    pub(crate) quantities: BTreeMap<String, Dimensions>,
}

/// What holds for all prices of a provider in one catalogue.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provider {
    pub(crate) id: String,
    #[serde(default, rename = "name")]
    _name: String,
    /// Other ids under which it is called.
    #[serde(default)]
    pub(crate) aliases: Vec<String>,
    /// The providers whose models it sells at their prices, where it has none of its own.
    #[serde(default)]
    pub(crate) resells: Vec<String>,
    /// Whether a dated snapshot that is not listed costs what its family does.
    #[serde(default = "yes")]
    pub(crate) snapshots: bool,
}

fn yes() -> bool {
    true
}

/// The rates of a model, or of a pattern of models, or of a provider without models.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    pub(crate) provider: String,
    #[serde(default)]
    pub(crate) model: String,
    /// The names that are this model; unless given, its own.
    #[serde(rename = "match")]
    pub(crate) matches: Option<Match>,
    #[serde(default)]
    pub(crate) per_billion: BTreeMap<String, Decimal>,
    #[serde(default)]
    pub(crate) per_million: BTreeMap<String, Decimal>,
    #[serde(default)]
    pub(crate) per_thousand: BTreeMap<String, Decimal>,
    #[serde(default)]
    pub(crate) each: BTreeMap<String, Decimal>,
    #[serde(default)]
    pub(crate) tiers: Vec<Tier>,
    #[serde(default)]
    pub(crate) description: String,
    /// Since when the rates hold; absent for always.
    pub(crate) effective_date: Option<Date>,
    /// At which time of day the rates hold; absent for all day.
    pub(crate) hours: Option<Hours>,
    /// For which service tier the rates are; absent for any that has none of its own.
    pub(crate) service_tier: Option<OneOrMore>,
    /// For which region the rates are; absent for any that has none of its own.
    pub(crate) region: Option<OneOrMore>,
    /// For which entries of the caller's metadata the rates are: the size of an image, say.
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, OneOrMore>,
    /// The most tokens that go into the model, with what comes out.
    pub(crate) context_window: Option<u32>,
    /// The most tokens that come out of the model.
    pub(crate) max_output_tokens: Option<u32>,
    /// Where the operator has the rates from. Nobody but the next operator reads it.
    #[serde(default, rename = "source")]
    _source: String,
}

/// Rates for a call with many input tokens: all of it, output too.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tier {
    /// They hold for calls with more input tokens than this.
    pub(crate) above: u64,
    #[serde(default)]
    pub(crate) per_billion: BTreeMap<String, Decimal>,
    #[serde(default)]
    pub(crate) per_million: BTreeMap<String, Decimal>,
    #[serde(default)]
    pub(crate) per_thousand: BTreeMap<String, Decimal>,
    #[serde(default)]
    pub(crate) each: BTreeMap<String, Decimal>,
}

/// Rates without a model.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rates {
    #[serde(default)]
    per_billion: BTreeMap<String, Decimal>,
    #[serde(default)]
    per_million: BTreeMap<String, Decimal>,
    #[serde(default)]
    per_thousand: BTreeMap<String, Decimal>,
    #[serde(default)]
    each: BTreeMap<String, Decimal>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged, expecting = "expected a text, or a list of texts")]
pub(crate) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// Where a provider's answer reports its usage.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extractor {
    /// Its id, or `*` for those that have no extractor of their own for the flavor.
    pub(crate) provider: String,
    pub(crate) flavors: Vec<String>,
    /// The path of the model that answered.
    pub(crate) model: Option<Path>,
    /// Where the usage's paths begin.
    pub(crate) root: Option<Path>,
    /// The paths of the amounts that add up to each quantity.
    #[serde(default)]
    pub(crate) usage: BTreeMap<String, Vec<Path>>,
    /// The paths without which an answer reports no usage.
    #[serde(default)]
    pub(crate) required: Vec<Path>,
    /// What an answer used of what it reports nothing of: one search, say.
    #[serde(default)]
    pub(crate) unreported: BTreeMap<String, u32>,
    /// Where the answer may stand, besides at the root. Unless given, under `/message` or
    /// `/response` in a stream's chunks.
    pub(crate) envelopes: Option<Vec<Path>>,
    #[serde(default)]
    pub(crate) stream: Stream,
}

/// What the chunks of a stream report.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stream {
    /// All that was used so far: the last that reports a number counts.
    #[default]
    Last,
    /// What was used since the one before: they add up.
    Sum,
}

/// What is held for a call that leaves its tokens unstated.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Estimates {
    /// The first of these that is known is the output.
    pub(crate) output_tokens: Vec<Guess>,
    /// The first of these that is known is the input.
    pub(crate) input_tokens: Vec<Guess>,
}

/// How many tokens a call may come to: a word, or their number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guess {
    /// The caller's bound on the output.
    MaxTokens,
    /// The most that comes out of the model, as its price entry says.
    MaxOutputTokens,
    /// What is left of the model's context window, as its price entry says.
    ContextWindow,
    /// What such a call of the subject used on average lately.
    Average,
    Tokens(u32),
}

impl<'de> Deserialize<'de> for Guess {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let number = || value.as_u64().and_then(|tokens| u32::try_from(tokens).ok());
        match value.as_str() {
            Some("max_tokens") => Ok(Self::MaxTokens),
            Some("max_output_tokens") => Ok(Self::MaxOutputTokens),
            Some("context_window") => Ok(Self::ContextWindow),
            Some("average") => Ok(Self::Average),
            _ => number().map(Self::Tokens).ok_or_else(|| {
                let known = "max_tokens, max_output_tokens, context_window, average";
                de::Error::custom(format!("{value} is none of {known}, nor a number of tokens"))
            }),
        }
    }
}

impl Default for Estimates {
    fn default() -> Self {
        let output_tokens = vec![Guess::MaxTokens];
        Self { output_tokens, input_tokens: Vec::new() }
    }
}

impl Config {
    /// Takes the prices out that go before all others.
    pub(crate) fn take_overrides(&mut self) -> Catalogue {
        Catalogue { prices: std::mem::take(&mut self.overrides), ..Catalogue::default() }
    }

    /// Takes the manifest's own catalogue out: the last of all, so that what is included goes
    /// before what is shipped.
    pub(crate) fn take_own(&mut self) -> Catalogue {
        Catalogue {
            providers: std::mem::take(&mut self.providers),
            prices: std::mem::take(&mut self.prices),
            extractors: std::mem::take(&mut self.extractors),
            quantities: std::mem::take(&mut self.quantities),
            ..Catalogue::default()
        }
    }
}

/// Tables of rates, each with its name and by how many digits its rates are larger than the
/// price of one.
pub(crate) type Tables<'a> = [(&'static str, &'a BTreeMap<String, Decimal>, u8); 4];

macro_rules! tables {
    ($($owner:ty),+) => {
        $(impl $owner {
            pub(crate) fn tables(&self) -> Tables<'_> {
                [
                    ("per_billion", &self.per_billion, 9),
                    ("per_million", &self.per_million, 6),
                    ("per_thousand", &self.per_thousand, 3),
                    ("each", &self.each, 0),
                ]
            }
        })+
    };
}

tables!(Price, Tier, Rates);

/// Each rated quantity with the price of one; a rate is dropped where that is too fine to be
/// exact, which the check reports.
pub(crate) fn rates(tables: Tables<'_>) -> impl Iterator<Item = (&str, Decimal)> {
    tables.into_iter().flat_map(|(_, table, digits)| {
        table.iter().filter_map(move |(quantity, rate)| {
            Some((quantity.as_str(), rate.shifted_right(digits).ok()?))
        })
    })
}

impl Price {
    /// What tells this entry from all others.
    pub(crate) fn key(&self) -> impl Ord + use<> {
        (self.provider.clone(), self.model.to_lowercase(), self.conditions())
    }

    /// What tells this entry from the others of its model.
    pub(crate) fn conditions(&self) -> impl Ord + use<> {
        let texts = |it: &Option<OneOrMore>| it.as_ref().map(OneOrMore::set);
        let metadata: Vec<_> =
            self.metadata.iter().map(|(key, values)| (key.clone(), values.set())).collect();
        (self.effective_date, self.hours, texts(&self.service_tier), texts(&self.region), metadata)
    }

    /// The entry's name in messages.
    pub(crate) fn name(&self) -> String {
        match self.model.as_str() {
            "" => self.provider.clone(),
            model => format!("{}/{model}", self.provider),
        }
    }
}

impl OneOrMore {
    pub(crate) fn list(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::More(texts) => texts,
        }
    }

    fn set(&self) -> BTreeSet<String> {
        self.list().iter().cloned().collect()
    }
}
