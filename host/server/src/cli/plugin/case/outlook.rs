//! What an alert policy is advised on, as authors write it down.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;
use tollgate_domain::{
    BillingCycle, FeatureId, Meter, ModelId, PeriodId, PlanId, ProviderId, QuantityName, QuotaName,
    Reading, SubjectPath, Usage, Usd, Window,
};
use tollgate_engine::{Alternative, ModelName, ModelUse, MonthOfUse, Offer, OfferedQuota, Outlook};

use super::exact::{Exact, Word};

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatedModel {
    provider: ProviderId,
    model: Option<ModelId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatedOutlook {
    subject: Option<SubjectPath>,
    plan: Option<PlanId>,
    billing_cycle: Option<BillingCycle>,
    /// The one that runs, and the one before it.
    #[serde(default)]
    months: Vec<StatedMonth>,
    /// The cheapest first.
    #[serde(default)]
    offers: Vec<StatedOffer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedMonth {
    period: PeriodId,
    /// All of it, unless stated.
    passed_percent: Option<u32>,
    #[serde(default)]
    uses: Vec<StatedUse>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedUse {
    provider: ProviderId,
    model: Option<ModelId>,
    /// One, unless stated.
    events: Option<u64>,
    #[serde(default)]
    usage: BTreeMap<QuantityName, u64>,
    cost: Exact,
    today: Option<Exact>,
    #[serde(default)]
    alternatives: Vec<StatedAlternative>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedAlternative {
    provider: ProviderId,
    model: Option<ModelId>,
    cost: Exact,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedOffer {
    plan: PlanId,
    /// As its id, unless stated.
    name: Option<String>,
    price_monthly: Exact,
    #[serde(default)]
    price_yearly: Exact,
    #[serde(default)]
    features: Vec<FeatureId>,
    /// It does, unless stated.
    sells_all_used: Option<bool>,
    #[serde(default)]
    quotas: Vec<StatedQuota>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedQuota {
    name: QuotaName,
    meter: Word<Meter>,
    window: Option<Word<Window>>,
    /// Absent for unlimited.
    limit: Option<Exact>,
    #[serde(default)]
    used: Vec<Exact>,
}

impl StatedModel {
    pub(super) fn to_name(&self) -> ModelName {
        ModelName { provider: self.provider.clone(), model: self.model.clone() }
    }
}

impl StatedOutlook {
    /// `nobody` is the subject of one that states none.
    pub(super) fn to_outlook(
        &self,
        nobody: SubjectPath,
        readings: Vec<Reading>,
    ) -> anyhow::Result<Outlook> {
        Ok(Outlook {
            subject: self.subject.clone().unwrap_or(nobody),
            readings,
            months: self.months.iter().map(StatedMonth::to_month).collect::<Result<_, _>>()?,
            plan: self.plan.clone(),
            billing_cycle: self.billing_cycle.unwrap_or(BillingCycle::Monthly),
            offers: self.offers.iter().map(StatedOffer::to_offer).collect(),
        })
    }
}

impl StatedMonth {
    fn to_month(&self) -> anyhow::Result<MonthOfUse> {
        Ok(MonthOfUse {
            period: self.period.clone(),
            passed_percent: self.passed_percent.unwrap_or(100),
            uses: self.uses.iter().map(StatedUse::to_use).collect::<Result<_, _>>()?,
        })
    }
}

impl StatedUse {
    fn to_use(&self) -> anyhow::Result<ModelUse> {
        let usage = self.usage.iter().map(|(name, amount)| (name.clone(), *amount));
        let alternatives = self.alternatives.iter().map(|it| Alternative {
            by: ModelName { provider: it.provider.clone(), model: it.model.clone() },
            cost: Usd(it.cost.0),
        });
        Ok(ModelUse {
            of: ModelName { provider: self.provider.clone(), model: self.model.clone() },
            events: self.events.unwrap_or(1),
            usage: Usage::new(usage).context("`usage`")?,
            cost: Usd(self.cost.0),
            today: self.today.map(|cost| Usd(cost.0)),
            alternatives: alternatives.collect(),
        })
    }
}

impl StatedOffer {
    fn to_offer(&self) -> Offer {
        let quotas = self.quotas.iter().map(|quota| OfferedQuota {
            name: quota.name.clone(),
            meter: quota.meter.0.clone(),
            window: quota.window.as_ref().map_or(Window::Month, |window| window.0),
            limit: quota.limit.map(|limit| limit.0),
            used: quota.used.iter().map(|used| used.0).collect(),
        });
        Offer {
            plan: self.plan.clone(),
            name: self.name.clone().unwrap_or_else(|| self.plan.to_string()),
            price_monthly: Usd(self.price_monthly.0),
            price_yearly: Usd(self.price_yearly.0),
            features: self.features.clone(),
            sells_all_used: self.sells_all_used.unwrap_or(true),
            quotas: quotas.collect(),
        }
    }
}
