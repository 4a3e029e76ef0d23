//! Warns once when a quota reaches a share of its limit.

use serde::Deserialize;
use tollgate_plugin::alert::{Alert, Reading};
use tollgate_plugin::export_alert;
use tollgate_plugin::{AlertPolicy, Description, JsonSchema, Pointer, Policy, Problem, Problems};

/// The `[config]` table of the manifest.
#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "tollgate_plugin::schemars")]
#[serde(deny_unknown_fields)]
struct ShareOfLimit {
    /// From which share of the limit on, in percent.
    percent: u32,
}

export_alert!(ShareOfLimit);

impl Policy for ShareOfLimit {
    type Config = Self;

    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")).config::<Self>()
    }

    fn new(config: Self) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let at = Pointer::root().to("percent");
        problems.unless(config.percent > 0, &at, "must be a whole number from 1");
        problems.into_result().map(|()| config)
    }
}

impl AlertPolicy for ShareOfLimit {
    fn due(&self, readings: &[Reading]) -> Vec<Alert> {
        let numbered = (0..).zip(readings);
        let due = numbered.filter(|(_, reading)| {
            let reached = reading.after.reaches_percent(self.percent, reading.limit);
            reached && !reading.raised.contains(&self.percent)
        });
        due.map(|(position, reading)| Alert {
            reading: position,
            threshold: self.percent,
            kind: "usage_warning".into(),
            severity: "warning".into(),
            title: format!("{} % of {} are used", self.percent, reading.quota),
            message: format!("{} of {} are used.", reading.after, reading.limit),
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::testing::{configure, configure_as_in, problems, reading};

    use super::*;

    #[test]
    fn a_share_of_the_limit_is_worth_one_warning() {
        let policy: ShareOfLimit = configure("percent = 75").unwrap();
        let due = policy.due(&[reading("calls", 200, 149), reading("calls", 200, 150)]);
        assert_eq!(
            due.iter().map(|alert| alert.reading).collect::<Vec<_>>(),
            [1]
        );
        assert_eq!(
            policy.due(&[reading("calls", 200, 199).with_raised(&[75])]),
            []
        );
    }

    #[test]
    fn a_share_of_nothing_is_refused() {
        let problem = "/percent: must be a whole number from 1";
        assert_eq!(problems::<ShareOfLimit>("percent = 0"), [problem]);
    }

    #[test]
    fn the_manifest_is_right() {
        assert!(configure_as_in::<ShareOfLimit>(include_str!("../{{name}}.toml")).is_ok());
    }
}
