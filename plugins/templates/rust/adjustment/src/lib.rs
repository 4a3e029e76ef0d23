//! A margin on what calls cost.

use serde::Deserialize;
use tollgate_plugin::adjustment::{Charge, Failure};
use tollgate_plugin::{AdjustmentPolicy, export_adjustment};
use tollgate_plugin::{Call, Decimal, Description, JsonSchema, Pointer, Policy, Problem, Problems};

/// The `[config]` table of the manifest.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "tollgate_plugin::schemars")]
#[serde(deny_unknown_fields)]
struct Margin {
    /// By what every charge is multiplied.
    factor: Decimal,
}

export_adjustment!(Margin);

impl Policy for Margin {
    type Config = Self;

    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")).config::<Self>()
    }

    fn new(config: Self) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let at = Pointer::root().to("factor");
        problems.unless(!config.factor.is_negative(), &at, "must not be negative");
        problems.into_result().map(|()| config)
    }
}

impl AdjustmentPolicy for Margin {
    fn adjust(
        &self,
        _call: &Call,
        _entry: &str,
        charges: Vec<Charge>,
    ) -> Result<Vec<Charge>, Failure> {
        let adjusted = charges
            .into_iter()
            .map(|charge| Ok(charge.times(self.factor)?));
        adjusted.collect()
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::testing::{call, charge, configure, configure_as_in, problems};

    use super::*;

    #[test]
    fn every_charge_is_multiplied() {
        let policy: Margin = configure("factor = '1.25'").unwrap();
        let charges = vec![charge("input_tokens", 1_000, "0.000004")];
        let charges = policy.adjust(&call("gemini"), "any", charges).unwrap();
        assert_eq!(charges, [charge("input_tokens", 1_000, "0.000005")]);
    }

    #[test]
    fn a_factor_below_zero_is_named() {
        let problem = "/factor: must not be negative";
        assert_eq!(problems::<Margin>("factor = '-1'"), [problem]);
    }

    #[test]
    fn the_manifest_is_right() {
        assert!(configure_as_in::<Margin>(include_str!("../{{name}}.toml")).is_ok());
    }
}
