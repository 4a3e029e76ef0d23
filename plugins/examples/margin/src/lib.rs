//! A margin on top of what providers take, whichever policy says that.

use std::collections::BTreeMap;

use serde::Deserialize;
use tollgate_plugin::adjustment::{Charge, Failure};
use tollgate_plugin::{
    AdjustmentPolicy, Call, Decimal, Description, Inexact, JsonSchema, Pointer, Policy, Problem,
    Problems, export_adjustment,
};

/// The `[config]` table of the manifest.
#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "tollgate_plugin::schemars")]
#[serde(deny_unknown_fields)]
struct Config {
    /// On top of every charge, in percent of it.
    percent: Decimal,
    /// Providers with a margin of their own.
    #[serde(default)]
    providers: BTreeMap<String, Decimal>,
    /// Plans on which calls cost what the provider takes.
    #[serde(default)]
    at_cost: Vec<String>,
}

/// What charges are multiplied by.
struct Margin {
    factor: Decimal,
    providers: BTreeMap<String, Decimal>,
    at_cost: Vec<String>,
}

export_adjustment!(Margin);

impl Policy for Margin {
    type Config = Config;

    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .needs(&["plan"])
            .config::<Config>()
    }

    fn new(Config { percent, mut providers, at_cost }: Config) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let root = Pointer::root();
        let mut factor = |percent: Decimal, at: &Pointer| {
            problems.unless(!percent.is_negative(), at, "must not be negative");
            factor(percent).unwrap_or_else(|inexact| {
                problems.unless(false, at, inexact.to_string());
                Decimal::ZERO
            })
        };
        let everywhere = factor(percent, &root.to("percent"));
        for (provider, percent) in &mut providers {
            *percent = factor(*percent, &root.to("providers").to(provider));
        }
        problems.into_result().map(|()| Self { factor: everywhere, providers, at_cost })
    }
}

/// What makes so many percent more of a price.
fn factor(percent: Decimal) -> Result<Decimal, Inexact> {
    percent.plus(100.into())?.shifted_right(2)
}

impl AdjustmentPolicy for Margin {
    fn adjust(
        &self,
        call: &Call,
        _entry: &str,
        charges: Vec<Charge>,
    ) -> Result<Vec<Charge>, Failure> {
        let plan = call.fact("plan");
        if plan.is_some_and(|plan| self.at_cost.iter().any(|at_cost| at_cost == plan)) {
            return Ok(charges);
        }
        let factor = *self.providers.get(&call.provider).unwrap_or(&self.factor);
        charges.into_iter().map(|charge| Ok(charge.times(factor)?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::testing::{call, charge, configure, configure_as_in, problems};

    use super::*;

    const CONFIG: &str = "percent = '12.5'\nproviders.exa = 0\nat_cost = ['friends']";

    fn adjusted(call: &Call) -> Vec<Charge> {
        let policy: Margin = configure(CONFIG).unwrap_or_else(|problems| panic!("{problems:?}"));
        policy.adjust(call, "any", vec![charge("calls", 2, "0.10")]).expect("charges")
    }

    #[test]
    fn the_margin_is_on_top_of_every_unit() {
        assert_eq!(adjusted(&call("gemini")), [charge("calls", 2, "0.1125")]);
    }

    #[test]
    fn there_is_none_on_some_plans_and_another_on_some_providers() {
        let same = [charge("calls", 2, "0.10")];
        assert_eq!(adjusted(&call("exa")), same);
        assert_eq!(adjusted(&call("gemini").with_fact("plan", "friends")), same);
        assert_ne!(adjusted(&call("gemini").with_fact("plan", "free")), same);
    }

    #[test]
    fn a_margin_that_cannot_be_is_named() {
        let config = "percent = 1\nproviders.'a/b' = '-1'";
        assert_eq!(problems::<Margin>(config), ["/providers/a~1b: must not be negative"]);
    }

    #[test]
    fn the_manifest_is_right() {
        assert!(configure_as_in::<Margin>(include_str!("../margin.toml")).is_ok());
    }
}
