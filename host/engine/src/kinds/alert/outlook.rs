//! What a dashboard is advised on: where a subject stands, and what there is to choose from.

use serde::Serialize;
use tollgate_domain::{
    Amount, BillingCycle, FeatureId, Meter, ModelId, PeriodId, PlanId, ProviderId, QuotaName,
    Reading, SubjectId, Usage, Usd, Window,
};

/// A provider's model; no model where the provider has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelName {
    pub provider: ProviderId,
    pub model: Option<ModelId>,
}

/// A model that might have served instead of one that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Which of those that were used, by position.
    pub instead_of: usize,
    pub by: ModelName,
}

/// What the same use would have cost with another model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alternative {
    pub by: ModelName,
    pub cost: Usd,
}

/// What was used of one model in a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelUse {
    pub of: ModelName,
    /// How many uses were recorded.
    pub events: u64,
    pub usage: Usage,
    pub cost: Usd,
    /// What it would cost today; none where nobody prices it, or it has no candidate.
    pub today: Option<Usd>,
    pub alternatives: Vec<Alternative>,
}

/// What was used of each model in a month, the dearest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MonthOfUse {
    pub period: PeriodId,
    /// How much of it has passed.
    pub passed_percent: u32,
    pub uses: Vec<ModelUse>,
}

/// A quota of a plan, and what would have been used of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OfferedQuota {
    pub name: QuotaName,
    pub meter: Meter,
    pub window: Window,
    /// `None` for unlimited.
    pub limit: Option<Amount>,
    /// In each of the months; empty for another window.
    pub used: Vec<Amount>,
}

/// A plan on sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offer {
    pub plan: PlanId,
    pub name: String,
    pub price_monthly: Usd,
    pub price_yearly: Usd,
    pub features: Vec<FeatureId>,
    /// Whether it sells all providers that were used in these months.
    pub sells_all_used: bool,
    pub quotas: Vec<OfferedQuota>,
}

/// Where a subject stands, and what there is to choose from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outlook {
    pub subject: SubjectId,
    pub readings: Vec<Reading>,
    /// The month that runs, and the one before it.
    pub months: Vec<MonthOfUse>,
    /// The plan in force.
    pub plan: Option<PlanId>,
    pub billing_cycle: BillingCycle,
    /// The cheapest first.
    pub offers: Vec<Offer>,
}

/// A policy may name so many candidates for a model; what is more is not priced.
const CANDIDATES_MAX: usize = 4;

impl Outlook {
    /// The models that were used, each once.
    pub(crate) fn models(&self) -> Vec<ModelName> {
        let mut models: Vec<ModelName> = Vec::new();
        for used in self.months.iter().flat_map(|month| &month.uses) {
            if !models.contains(&used.of) {
                models.push(used.of.clone());
            }
        }
        models
    }

    /// The part of it that these readings and providers are.
    pub(crate) fn narrowed(
        &self,
        reading: impl Fn(&Reading) -> bool,
        provider: impl Fn(&ProviderId) -> bool,
    ) -> Self {
        let mut narrowed = self.clone();
        narrowed.readings.retain(|it| reading(it));
        for month in &mut narrowed.months {
            month.uses.retain(|used| provider(&used.of.provider));
        }
        narrowed
    }

    /// Fills in what each use would have cost with its candidates, as `price` says.
    pub(crate) fn price(
        &mut self,
        models: &[ModelName],
        candidates: &[Candidate],
        price: &mut impl FnMut(&ModelUse, &ModelName) -> Option<Usd>,
    ) {
        for used in self.months.iter_mut().flat_map(|month| &mut month.uses) {
            let position = models.iter().position(|model| *model == used.of);
            let own = candidates.iter().filter(|it| Some(it.instead_of) == position);
            let own: Vec<_> = own.take(CANDIDATES_MAX).map(|it| &it.by).collect();
            if own.is_empty() {
                continue;
            }
            used.today = price(used, &used.of);
            let priced = own
                .into_iter()
                .filter_map(|by| Some(Alternative { by: by.clone(), cost: price(used, by)? }));
            used.alternatives = priced.collect();
        }
    }
}
