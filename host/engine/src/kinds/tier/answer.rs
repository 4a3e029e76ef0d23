//! What a tier policy says, in the domain's words.

use tollgate_domain::{EffectiveLimit, Opinion, Plan, Quota, Refusal};

use super::OfferedPlan;
use crate::bad_output::{BadOutput, each, word};
use crate::bindings::{tiers, types};
use crate::decimal::{to_amount, to_usd};

pub(super) fn plan(plan: tiers::Plan) -> Result<OfferedPlan, BadOutput> {
    let is_default = plan.default;
    let plan = Plan {
        id: word("id", &plan.id)?,
        name: plan.name,
        tier: plan.tier,
        description: plan.description,
        price_monthly: to_usd("price-monthly", plan.price_monthly)?,
        price_yearly: to_usd("price-yearly", plan.price_yearly)?,
        features: words("features", plan.features)?,
        providers: plan.providers.map(|list| words("providers", list)).transpose()?,
        quotas: each("quotas", plan.quotas, quota)?,
    };
    Ok((plan, is_default))
}

/// `levels` is how many levels the policy was shown.
pub(super) fn opinion(verdict: tiers::Verdict, levels: usize) -> Result<Opinion, BadOutput> {
    let known_level = |level: u32| match usize::try_from(level) {
        Ok(level) if level < levels => Ok(level),
        _ => Err(BadOutput::new("level", format_args!("{level} is none of {levels} levels"))),
    };
    let refusal = verdict.refusal.map(|refusal| {
        if refusal.reason.is_empty() {
            return Err(BadOutput::new("reason", "is empty"));
        }
        let level = known_level(refusal.level)?;
        Ok(Refusal { reason: refusal.reason, message: refusal.message, level })
    });
    let limits = each("limits", verdict.limits, |limit| {
        Ok(EffectiveLimit {
            level: known_level(limit.level)?,
            quota: word("quota", &limit.quota)?,
            limit: optional_amount("limit", limit.limit)?,
        })
    })?;
    Ok(Opinion { refusal: refusal.transpose().map_err(|e| e.within("refusal"))?, limits })
}

fn quota(quota: tiers::QuotaDefinition) -> Result<Quota, BadOutput> {
    Ok(Quota {
        name: word("name", &quota.name)?,
        meter: word("meter", &quota.meter)?,
        providers: words("providers", quota.providers)?,
        models: words("models", quota.models)?,
        window: word("window", &quota.window)?,
        limit: optional_amount("limit", quota.limit)?,
        mode: word("mode", &quota.mode)?,
        grace_percent: quota.grace_percent,
    })
}

fn words<T: std::str::FromStr<Err: std::fmt::Display>>(
    name: &str,
    list: Vec<String>,
) -> Result<Vec<T>, BadOutput> {
    each(name, list, |text| word("name", &text))
}

fn optional_amount(
    place: &str,
    decimal: Option<types::Decimal>,
) -> Result<Option<tollgate_domain::Amount>, BadOutput> {
    decimal.map(|decimal| to_amount(place, decimal)).transpose()
}
