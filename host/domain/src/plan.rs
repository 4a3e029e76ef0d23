//! Plans, their quotas, and the book of all that are in force.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::amount::{Amount, Usd};
use crate::name::{FeatureId, ModelId, NameError, PlanId, ProviderId, QuantityName, QuotaName};
use crate::usage::Usage;
use crate::window::Window;

/// What a subject can subscribe to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub id: PlanId,
    pub name: String,
    pub tier: String,
    pub description: String,
    pub price_monthly: Usd,
    pub price_yearly: Usd,
    pub features: Vec<FeatureId>,
    /// `None` for all.
    pub providers: Option<Vec<ProviderId>>,
    pub quotas: Vec<Quota>,
}

/// A limit on what a subject may use in a window of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    pub name: QuotaName,
    pub meter: Meter,
    /// Empty for all.
    pub providers: Vec<ProviderId>,
    /// Empty for all.
    pub models: Vec<ModelId>,
    pub window: Window,
    /// `None` for unlimited.
    pub limit: Option<Amount>,
    pub mode: Mode,
    /// By how many percent of the limit a hard quota may be passed before it refuses.
    pub grace_percent: u32,
}

/// What a quota counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Meter {
    /// Input and output tokens together.
    Tokens,
    /// US dollars.
    Cost,
    /// One quantity: `calls`, `input_tokens`, `images`, …
    Quantity(QuantityName),
}

/// What happens when a quota is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = QuotaMode)]
pub enum Mode {
    /// The call is refused.
    Hard,
    /// The call is allowed and flagged.
    Soft,
}

impl Quota {
    /// Whether a call to this provider and model counts in this quota.
    pub fn covers(&self, provider: &ProviderId, model: Option<&ModelId>) -> bool {
        (self.providers.is_empty() || self.providers.contains(provider))
            && (self.models.is_empty() || model.is_some_and(|model| self.models.contains(model)))
    }
}

impl Meter {
    /// What a call of this usage and cost adds to the meter; `None` where it is not known.
    pub fn measure(&self, usage: &Usage, cost: Option<Usd>) -> Option<Amount> {
        match self {
            Self::Tokens => usage.tokens().map(Amount::from),
            Self::Cost => cost.map(|cost| cost.0),
            Self::Quantity(quantity) => usage.get(quantity.as_str()).map(Amount::from),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Tokens => "tokens",
            Self::Cost => "cost",
            Self::Quantity(quantity) => quantity.as_str(),
        }
    }
}

impl FromStr for Meter {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "tokens" => Ok(Self::Tokens),
            "cost" => Ok(Self::Cost),
            quantity => quantity.parse().map(Self::Quantity),
        }
    }
}

impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
        }
    }
}

impl FromStr for Mode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "hard" => Ok(Self::Hard),
            "soft" => Ok(Self::Soft),
            _ => Err("is not a mode: hard or soft"),
        }
    }
}

/// All plans of a policy set.
#[derive(Clone, Debug, Default)]
pub struct PlanBook {
    plans: BTreeMap<PlanId, Arc<Plan>>,
    default: Option<PlanId>,
}

/// Plans that cannot be in force together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanBookError {
    #[error("plan `{0}` is defined twice")]
    DuplicatePlan(PlanId),
    #[error("plan `{plan}` defines quota `{quota}` twice")]
    DuplicateQuota { plan: PlanId, quota: QuotaName },
    #[error("both `{0}` and `{1}` are the default plan")]
    TwoDefaults(PlanId, PlanId),
}

impl PlanBook {
    /// Adds a plan.
    pub fn insert(&mut self, plan: Plan, is_default: bool) -> Result<(), PlanBookError> {
        for (i, quota) in plan.quotas.iter().enumerate() {
            if plan.quotas[..i].iter().any(|other| other.name == quota.name) {
                let (plan, quota) = (plan.id, quota.name.clone());
                return Err(PlanBookError::DuplicateQuota { plan, quota });
            }
        }
        if is_default {
            match &self.default {
                Some(first) => {
                    return Err(PlanBookError::TwoDefaults(first.clone(), plan.id));
                }
                None => self.default = Some(plan.id.clone()),
            }
        }
        match self.plans.entry(plan.id.clone()) {
            std::collections::btree_map::Entry::Occupied(taken) => {
                Err(PlanBookError::DuplicatePlan(taken.key().clone()))
            }
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(Arc::new(plan));
                Ok(())
            }
        }
    }

    pub fn get(&self, id: &PlanId) -> Option<&Arc<Plan>> {
        self.plans.get(id)
    }

    /// The plan of a subject for whom nobody chose one.
    pub fn default_plan(&self) -> Option<&Arc<Plan>> {
        self.plans.get(self.default.as_ref()?)
    }

    /// All plans, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.plans.values()
    }
}
