//! What calls cost.

use serde::{Deserialize, Serialize};

use crate::amount::{Amount, Usd};
use crate::name::{ModelId, ProviderId, QuantityName};
use crate::timestamp::Timestamp;
use crate::usage::Usage;

/// A line of a bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    pub quantity: QuantityName,
    pub amount: Amount,
    /// For one.
    pub unit_price: Usd,
    pub cost: Usd,
    pub side: Side,
}

/// What a charge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Input,
    Output,
    /// What a call or a search costs, whatever goes in and out.
    Fee,
}

/// The price of a usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quote {
    /// The price entry that matched, for people.
    pub entry: String,
    pub charges: Vec<Charge>,
    /// The exact sum of the charges.
    pub cost: Usd,
}

impl Quote {
    /// Adds up the charges; `None` where the sum does not fit.
    pub fn new(entry: String, charges: Vec<Charge>) -> Option<Self> {
        let cost =
            charges.iter().try_fold(Usd::ZERO, |sum, charge| sum.checked_add(charge.cost))?;
        Some(Self { entry, charges, cost })
    }
}

/// What a call that has not been made yet will probably use and cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Estimate {
    pub usage: Usage,
    pub cost: ExpectedCost,
}

/// What can be said of a cost before the call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ExpectedCost {
    Known(Usd),
    /// The call is priced, but too little is stated to say what it will cost.
    Unknown,
    /// Nobody prices the call.
    Unpriced,
}

impl ExpectedCost {
    pub fn known(self) -> Option<Usd> {
        match self {
            Self::Known(cost) => Some(cost),
            Self::Unknown | Self::Unpriced => None,
        }
    }
}

/// What a provider's raw answer reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Extraction {
    /// The model that answered, where the answer says so.
    pub model: Option<ModelId>,
    pub usage: Usage,
}

/// A line of the price list, as customers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub provider: ProviderId,
    /// A name or a pattern; empty where the provider has no models.
    pub model: String,
    /// For one of each quantity.
    pub rates: Vec<(QuantityName, Usd)>,
    pub description: String,
    /// Since when; `None` for always.
    pub effective: Option<Timestamp>,
    pub terms: Terms,
}

/// When and for whom a line of the price list holds; what is empty holds always, and for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The input tokens above which other rates hold, for all of the call.
    pub tiers: Vec<PriceTier>,
    /// In seconds since midnight UTC: from the first to before the second, across midnight where
    /// that is smaller.
    pub hours: Option<(u32, u32)>,
    pub service_tiers: Vec<String>,
    pub regions: Vec<String>,
    /// The caller's metadata, each with the values of which it must have one.
    pub metadata: Vec<(String, Vec<String>)>,
    /// The most tokens that go into the model, with what comes out.
    pub context_window: Option<u32>,
    /// The most tokens that come out of the model.
    pub max_output_tokens: Option<u32>,
}

/// Rates for calls with more input tokens than `above`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceTier {
    pub above: u64,
    /// For one of each quantity that costs otherwise than below.
    pub rates: Vec<(QuantityName, Usd)>,
}
