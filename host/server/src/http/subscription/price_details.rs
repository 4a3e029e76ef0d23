//! What a price says besides the fields that every dashboard knows: when and for whom it holds,
//! what is other above a threshold, and the rates that have no field of their own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tollgate_domain::{Listing, PriceTier, QuantityName, Terms, Usd};
use utoipa::ToSchema;
use utoipa::openapi::Ref;
use utoipa::openapi::schema::Object;

use crate::http::fields::{Money, Text, Whole};
use crate::http::money::{Dollars, Exact};
use crate::http::openapi::schema::map;
use crate::http::problem::Problem;

/// The quantities whose rates have a field of their own.
pub const NAMED: [&str; 6] =
    ["input_tokens", "output_tokens", "calls", "searches", "images", "pages"];

/// What one of each quantity costs.
fn rates() -> Object {
    let dollars = Ref::from_schema_name(Dollars::name());
    map::<QuantityName>("What one of each quantity costs.", dollars, None)
}

type RateMap<'a> = BTreeMap<&'a str, Dollars>;

#[derive(Serialize, ToSchema)]
#[schema(as = PriceDetails)]
pub struct Details<'a> {
    /// Of one of each quantity.
    #[schema(schema_with = rates)]
    other_rates: RateMap<'a>,
    tiers: Vec<Tier<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<Hours>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    service_tier: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    region: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<&'a str, &'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_window: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
}

/// Rates for calls with more input tokens, for all of the call.
#[derive(Serialize, ToSchema)]
#[schema(as = PriceTier)]
struct Tier<'a> {
    above_input_tokens: u64,
    #[schema(schema_with = rates)]
    rates: RateMap<'a>,
}

/// A span of every day in UTC, which may cross midnight.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HoursOfDay)]
pub struct Hours {
    from: String,
    to: String,
}

impl<'a> Details<'a> {
    pub fn new(listing: &'a Listing) -> Self {
        let terms = &listing.terms;
        let is_other = |(name, _): &&(QuantityName, Usd)| !NAMED.contains(&name.as_str());
        let tier = |tier: &'a PriceTier| Tier {
            above_input_tokens: tier.above,
            rates: tier.rates.iter().map(rate).collect(),
        };
        Self {
            other_rates: listing.rates.iter().filter(is_other).map(rate).collect(),
            tiers: terms.tiers.iter().map(tier).collect(),
            hours: terms.hours.map(|(from, to)| Hours { from: time(from), to: time(to) }),
            service_tier: &terms.service_tiers,
            region: &terms.regions,
            metadata: terms.metadata.iter().map(|(k, v)| (k.as_str(), v.as_slice())).collect(),
            context_window: terms.context_window,
            max_output_tokens: terms.max_output_tokens,
        }
    }
}

fn rate((name, usd): &(QuantityName, Usd)) -> (&str, Dollars) {
    (name.as_str(), Exact(*usd))
}

/// `16:30`, or `16:30:01` where seconds matter.
fn time(second: u32) -> String {
    let minutes = format!("{:02}:{:02}", second / 3_600, second / 60 % 60);
    match second % 60 {
        0 => minutes,
        seconds => format!("{minutes}:{seconds:02}"),
    }
}

/// Changed rates of a price's tier.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceTierChange)]
pub struct TierChange {
    above_input_tokens: Whole<0, { i64::MAX as u64 }>,
    rates: BTreeMap<QuantityName, Money>,
}

/// A word, or a few of which any will do.
#[derive(Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a text, or a list of texts")]
pub enum Words {
    One(Text<64>),
    More(Vec<Text<64>>),
}

/// What a change says besides the named fields.
#[derive(Default)]
pub struct DetailsChange {
    pub tiers: Vec<TierChange>,
    pub hours: Option<Hours>,
    pub service_tier: Option<Words>,
    pub region: Option<Words>,
    pub metadata: BTreeMap<String, Words>,
    pub context_window: Option<Whole<0, { u32::MAX as u64 }>>,
    pub max_output_tokens: Option<Whole<0, { u32::MAX as u64 }>>,
}

impl DetailsChange {
    pub fn into_terms(self) -> Result<Terms, Problem> {
        let tier = |tier: TierChange| PriceTier {
            above: tier.above_input_tokens.0,
            rates: tier.rates.into_iter().map(|(name, rate)| (name, rate.0)).collect(),
        };
        let words = |words: Option<Words>| words.map(Words::into_texts).unwrap_or_default();
        let count = |tokens: Option<Whole<0, { u32::MAX as u64 }>>| {
            tokens.and_then(|tokens| u32::try_from(tokens.0).ok())
        };
        let metadata = self.metadata.into_iter();
        Ok(Terms {
            tiers: self.tiers.into_iter().map(tier).collect(),
            hours: self.hours.map(|hours| hours.seconds()).transpose()?,
            service_tiers: words(self.service_tier),
            regions: words(self.region),
            metadata: metadata.map(|(key, words)| (key, words.into_texts())).collect(),
            context_window: count(self.context_window),
            max_output_tokens: count(self.max_output_tokens),
        })
    }
}

impl Words {
    fn into_texts(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text.0],
            Self::More(texts) => texts.into_iter().map(|text| text.0).collect(),
        }
    }
}

impl Hours {
    fn seconds(&self) -> Result<(u32, u32), Problem> {
        let read = |field: &str, text: &str| {
            seconds(text).ok_or_else(|| {
                let detail = format!("`{text}` is not a time of day such as 16:30");
                Problem::invalid(format!("/hours/{field}"), detail)
            })
        };
        Ok((read("from", &self.from)?, read("to", &self.to)?))
    }
}

/// Seconds since midnight; `24:00` is the end of a day.
fn seconds(time: &str) -> Option<u32> {
    let mut seconds = 0;
    let fields: Vec<_> = time.split(':').collect();
    for (i, unit) in [3_600, 60, 1].into_iter().enumerate() {
        let field = match fields.get(i) {
            Some(field) if field.len() == 2 => field.parse::<u32>().ok()?,
            None if i == 2 => 0,
            _ => return None,
        };
        if i > 0 && field >= 60 {
            return None;
        }
        seconds += field * unit;
    }
    (fields.len() <= 3 && seconds <= 86_400).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_read_as_it_is_written() {
        for text in ["00:00", "16:30", "16:30:01", "23:59:59", "24:00"] {
            assert_eq!(time(seconds(text).unwrap()), text);
        }
        for wrong in ["", "1:00", "24:01", "12:60", "12:00:60", "12:00:00:00", "noon", "12"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
