//! The plans of a manifest, and the refusal of what a plan does not sell.
//!
//! Quotas are only defined here: the host does their arithmetic.

mod config;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use config::Config;
use tollgate_plugin::tier::{Level, Plan, QuotaDefinition, Verdict};
use tollgate_plugin::{Call, Description, Policy, Problem, TierPolicy, export_tier};

/// Plans by id. A subject on somebody else's plan is somebody else's business.
struct StandardTiers(BTreeMap<String, Plan>);

export_tier!(StandardTiers);

impl Policy for StandardTiers {
    type Config = Config;

    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")).needs(&["features"])
    }

    fn new(config: Config) -> Result<Self, Vec<Problem>> {
        config::check(&config)?;
        let default = config.default_plan;
        let plans = config.plans.into_iter().map(|plan| {
            let default = default.as_ref() == Some(&plan.id);
            (plan.id.clone(), sold(plan, default))
        });
        Ok(Self(plans.collect()))
    }
}

impl TierPolicy for StandardTiers {
    fn plans(&self) -> Vec<Plan> {
        self.0.values().cloned().collect()
    }

    fn evaluate(&self, call: &Call, levels: &[Level]) -> Verdict {
        for (position, level) in (0..).zip(levels) {
            let plan = level.plan.as_ref().and_then(|id| self.0.get(id));
            if let Some(missing) = plan.and_then(|plan| missing(plan, call)) {
                return Verdict::refuse(position, "not_in_plan", missing);
            }
        }
        Verdict::allow()
    }

    fn depends_on(&self) -> Vec<&'static str> {
        vec!["provider", "plan", "features"]
    }
}

/// What a call wants and a plan does not have, for the person who is refused.
fn missing(plan: &Plan, call: &Call) -> Option<String> {
    let Plan { name, providers, features, .. } = plan;
    let provider = &call.provider;
    if providers.as_ref().is_some_and(|sold| !sold.contains(provider)) {
        return Some(format!("The plan {name} does not include the provider {provider}."));
    }
    let wanted = call.fact("features").unwrap_or_default();
    let feature = wanted
        .split(',')
        .map(str::trim)
        .find(|wanted| !wanted.is_empty() && !features.iter().any(|sold| sold == wanted))?;
    Some(format!("The plan {name} does not include the feature {feature}."))
}

fn sold(plan: config::Plan, default: bool) -> Plan {
    Plan {
        id: plan.id,
        name: plan.name,
        tier: plan.tier,
        description: plan.description,
        price_monthly: plan.price_monthly,
        price_yearly: plan.price_yearly,
        features: plan.features,
        providers: plan.providers,
        quotas: plan.quotas.into_iter().map(defined).collect(),
        default,
    }
}

fn defined(quota: config::Quota) -> QuotaDefinition {
    QuotaDefinition {
        name: quota.name,
        meter: quota.meter,
        providers: quota.providers,
        models: quota.models,
        window: quota.window,
        limit: quota.limit,
        mode: quota.mode,
        grace_percent: quota.grace_percent,
    }
}
