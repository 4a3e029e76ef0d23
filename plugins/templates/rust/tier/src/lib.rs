//! Refuses calls on some days of the week.

use serde::Deserialize;
use tollgate_plugin::tier::{Level, Verdict};
use tollgate_plugin::{Call, Description, JsonSchema, Pointer, Policy, Problem, Problems};
use tollgate_plugin::{TierPolicy, export_tier};

/// The `[config]` table of the manifest.
#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "tollgate_plugin::schemars")]
#[serde(deny_unknown_fields)]
struct ClosedDays {
    /// Days of the week, from 1 for Monday to 7 for Sunday.
    #[schemars(inner(range(min = 1, max = 7)))]
    closed_on: Vec<u8>,
}

export_tier!(ClosedDays);

impl Policy for ClosedDays {
    type Config = Self;

    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .needs(&["local-weekday"])
            .config::<Self>()
    }

    fn new(config: Self) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        for (day, at) in config
            .closed_on
            .iter()
            .zip(Pointer::root().to("closed_on").items())
        {
            problems.unless((1..=7).contains(day), &at, "is no day of the week, 1 to 7");
        }
        problems.into_result().map(|()| config)
    }
}

impl TierPolicy for ClosedDays {
    fn evaluate(&self, call: &Call, _levels: &[Level]) -> Verdict {
        let today = call.fact("local-weekday").and_then(|day| day.parse().ok());
        if today.is_some_and(|today| self.closed_on.contains(&today)) {
            return Verdict::refuse(0, "closed", "We are closed today.");
        }
        Verdict::allow()
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::testing::{call, configure, configure_as_in, level, problems};

    use super::*;

    #[test]
    fn only_the_days_of_the_configuration_are_closed() {
        let policy: ClosedDays = configure("closed_on = [7]").unwrap();
        let on = |day| {
            policy.evaluate(
                &call("gemini").with_fact("local-weekday", day),
                &[level("acme")],
            )
        };
        assert_eq!(
            on("7"),
            Verdict::refuse(0, "closed", "We are closed today.")
        );
        assert_eq!(on("1"), Verdict::allow());
    }

    #[test]
    fn a_day_that_there_is_not_is_named() {
        let problem = "/closed_on/1: is no day of the week, 1 to 7";
        assert_eq!(problems::<ClosedDays>("closed_on = [7, 8]"), [problem]);
    }

    #[test]
    fn the_manifest_is_right() {
        assert!(configure_as_in::<ClosedDays>(include_str!("../{{name}}.toml")).is_ok());
    }
}
