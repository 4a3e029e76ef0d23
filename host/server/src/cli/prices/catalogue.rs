//! A catalogue of prices, as far as these commands read and write it.

use std::collections::BTreeMap;
use std::fmt;

use rust_decimal::Decimal;

/// The service counts money in so many decimals.
const DECIMALS_MAX: u32 = 18;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    pub name: String,
    pub source: String,
    pub providers: Vec<Provider>,
    pub prices: Vec<Price>,
    pub extractors: Vec<Extractor>,
    /// The dimensions of quantities whose names may not tell them.
    pub quantities: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Provider {
    pub id: String,
    pub name: String,
    pub aliases: Vec<String>,
    pub resells: Vec<String>,
    pub snapshots: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Price {
    pub provider: String,
    pub model: String,
    /// The names that are this model; none for its own.
    pub matches: Option<Match>,
    pub description: String,
    pub conditions: Conditions,
    pub rates: Rates,
    /// The input tokens above which rates change, and to what.
    pub tiers: BTreeMap<u64, Rates>,
    pub context_window: Option<u64>,
    pub max_output_tokens: Option<u64>,
}

/// When and for whom a price holds; what is empty holds always, and for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conditions {
    pub effective_date: String,
    pub hours: String,
    pub service_tier: Vec<String>,
    pub region: Vec<String>,
    pub metadata: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Match {
    Pattern(String),
    Any(Vec<Match>),
    All(Vec<Match>),
    Regex(String),
}

/// The rate of each quantity.
pub type Rates = BTreeMap<String, Rate>;

/// A price in US dollars for so many: one, a thousand, a million or a billion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub amount: Decimal,
    pub per: Per,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Per {
    Billion,
    Million,
    Thousand,
    One,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extractor {
    pub provider: String,
    pub flavors: Vec<String>,
    pub model: String,
    pub root: String,
    pub usage: BTreeMap<String, Vec<String>>,
    pub required: Vec<String>,
}

impl Per {
    pub const ALL: [Self; 4] = [Self::Million, Self::Thousand, Self::One, Self::Billion];

    /// The name of its table in a catalogue.
    pub fn table(self) -> &'static str {
        match self {
            Self::Billion => "per_billion",
            Self::Million => "per_million",
            Self::Thousand => "per_thousand",
            Self::One => "each",
        }
    }

    pub fn count(self) -> u64 {
        match self {
            Self::Billion => 1_000_000_000,
            Self::Million => 1_000_000,
            Self::Thousand => 1_000,
            Self::One => 1,
        }
    }
}

impl Rate {
    /// A price for `per` of something; none where the price of one is not exact.
    pub fn new(amount: Decimal, per: u64) -> Option<Self> {
        let (rate, is_exact) = Self::nearest(amount, per)?;
        is_exact.then_some(rate)
    }

    /// The rate that comes nearest to a price for `per` of something, and whether it is that
    /// price. Others compute their prices with floats, and print what comes of it.
    pub fn nearest(amount: Decimal, per: u64) -> Option<(Self, bool)> {
        if amount.is_sign_negative() && !amount.is_zero() {
            return None;
        }
        if let Some(per) = Per::ALL.into_iter().find(|known| known.count() == per) {
            let rounded = amount.round_dp(DECIMALS_MAX - per.count().ilog10()).normalize();
            return Some((Self { amount: rounded, per }, rounded == amount));
        }
        let one = amount.checked_div(Decimal::from(per))?.round_dp(DECIMALS_MAX).normalize();
        let is_exact = one.checked_mul(Decimal::from(per))? == amount;
        Some((Self { amount: one, per: Per::One }, is_exact))
    }

    /// The price of one.
    pub fn of_one(self) -> Option<Decimal> {
        let digits = self.per.count().ilog10();
        let amount = self.amount.normalize();
        let scale = amount.scale().checked_add(digits)?;
        let one = Decimal::try_from_i128_with_scale(amount.mantissa(), scale).ok()?.normalize();
        (one.scale() <= DECIMALS_MAX && !one.is_sign_negative()).then_some(one)
    }
}

impl Price {
    /// The provider and the model, for people.
    pub fn name(&self) -> String {
        match self.model.as_str() {
            "" => self.provider.clone(),
            model => format!("{}/{model}", self.provider),
        }
    }
}

/// The names as people read them; a regular expression between slashes.
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |list: &[Self], between: &str| {
            let texts: Vec<_> = list.iter().map(Self::to_string).collect();
            texts.join(between)
        };
        match self {
            Self::Pattern(pattern) => f.write_str(pattern),
            Self::Regex(regex) => write!(f, "/{regex}/"),
            Self::Any(list) => f.write_str(&all(list, ", ")),
            Self::All(list) => write!(f, "({})", all(list, " and ")),
        }
    }
}

/// A rate as people say it: `0.25 per million`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = self.per.table().replace('_', " ");
        write!(f, "{} {per}", self.amount.normalize())
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut texts = Vec::new();
        if !self.effective_date.is_empty() {
            texts.push(format!("from {}", self.effective_date));
        }
        if !self.hours.is_empty() {
            texts.push(format!("{} UTC", self.hours));
        }
        if !self.service_tier.is_empty() {
            texts.push(format!("{} tier", self.service_tier.join(" or ")));
        }
        if !self.region.is_empty() {
            texts.push(format!("in {}", self.region.join(" or ")));
        }
        for (key, values) in &self.metadata {
            texts.push(format!("{key} {}", values.join(" or ")));
        }
        f.write_str(&texts.join(", "))
    }
}
