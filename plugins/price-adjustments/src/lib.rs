//! Margins, volume discounts and markups per plan, on top of any price.

#[cfg(test)]
mod tests;

use serde::Deserialize;
use tollgate_plugin::adjustment::{Charge, Failure};
use tollgate_plugin::{
    AdjustmentPolicy, Call, Decimal, Description, Pointer, Policy, Problem, Problems,
    export_adjustment,
};

/// Rules, each of which changes the price of the calls that it is for.
struct PriceAdjustments {
    rules: Vec<Rule>,
}

/// The `[config]` table of the manifest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    rules: Vec<Rule>,
}

/// By what the price of which calls is multiplied. All that a call meets apply, one after the
/// other; what a rule does not name makes no difference to it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// For people.
    #[serde(default, rename = "name")]
    _name: String,
    factor: Decimal,
    #[serde(default)]
    providers: Vec<String>,
    /// Names, or their begin with `*` after it.
    #[serde(default)]
    models: Vec<String>,
    #[serde(default)]
    plans: Vec<String>,
    /// What is charged for: `input_tokens`, say.
    #[serde(default)]
    quantities: Vec<String>,
    /// From how many US dollars on that the widest level has cost in its billing period.
    from_period_cost: Option<Decimal>,
    /// Up to how many, which are not included.
    to_period_cost: Option<Decimal>,
}

export_adjustment!(PriceAdjustments);

impl Policy for PriceAdjustments {
    type Config = Config;

    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .needs(&["plan", "period-cost"])
            .config_schema(include_str!("../schema.json"))
    }

    fn new(config: Config) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        for (rule, at) in config.rules.iter().zip(Pointer::root().to("rules").items()) {
            let message = "must not be negative";
            problems.unless(!rule.factor.is_negative(), &at.to("factor"), message);
            let is_span = match (rule.from_period_cost, rule.to_period_cost) {
                (Some(from), Some(to)) => from < to,
                _ => true,
            };
            let message = "must be more than from_period_cost";
            problems.unless(is_span, &at.to("to_period_cost"), message);
        }
        problems.into_result()?;
        Ok(Self { rules: config.rules })
    }
}

impl AdjustmentPolicy for PriceAdjustments {
    fn adjust(
        &self,
        call: &Call,
        _entry: &str,
        charges: Vec<Charge>,
    ) -> Result<Vec<Charge>, Failure> {
        let rules: Vec<_> = self.rules.iter().filter(|rule| rule.is_for(call)).collect();
        let adjusted = charges.into_iter().map(|mut charge| {
            for rule in &rules {
                if has(&rule.quantities, Some(&charge.quantity)) {
                    charge = charge.times(rule.factor)?;
                }
            }
            Ok(charge)
        });
        adjusted.collect()
    }
}

impl Rule {
    fn is_for(&self, call: &Call) -> bool {
        let spent = || call.fact("period-cost")?.parse::<Decimal>().ok();
        let reached = |from: Decimal| spent().is_some_and(|spent| spent >= from);
        let below = |to: Decimal| spent().is_none_or(|spent| spent < to);
        has(&self.providers, Some(&call.provider))
            && has(&self.models, call.model.as_deref())
            && has(&self.plans, call.fact("plan"))
            && self.from_period_cost.is_none_or(reached)
            && self.to_period_cost.is_none_or(below)
    }
}

/// Whether a list names something, or nothing at all.
fn has(list: &[String], name: Option<&str>) -> bool {
    let is = |pattern: &String| {
        name.is_some_and(|name| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        })
    };
    list.is_empty() || list.iter().any(is)
}
