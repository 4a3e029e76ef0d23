//! Warns when a quota reaches a share of its limit, and advises a larger plan in time.

#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeSet;

use serde::Deserialize;
use tollgate_plugin::alert::{Alert, Reading, Recommendation};
use tollgate_plugin::{AlertPolicy, Description, Pointer, Policy, Problem, Problems, export_alert};

/// The `[config]` table of the manifest. All numbers are percent of a limit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ThresholdAlerts {
    thresholds: Vec<u32>,
    /// From where on a larger plan is advised; absent for never.
    recommend_from: Option<u32>,
}

export_alert!(ThresholdAlerts);

impl Policy for ThresholdAlerts {
    type Config = Self;

    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
    }

    fn new(config: Self) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let mut known = BTreeSet::new();
        for (threshold, at) in
            config.thresholds.iter().zip(Pointer::root().to("thresholds").items())
        {
            problems.unless(*threshold > 0, &at, "must be above 0");
            problems.unless(known.insert(threshold), &at, "stands here twice");
        }
        let at = Pointer::root().to("recommend_from");
        problems.unless(config.recommend_from != Some(0), &at, "must be above 0");
        problems.into_result()?;
        Ok(config)
    }
}

impl AlertPolicy for ThresholdAlerts {
    fn due(&self, readings: &[Reading]) -> Vec<Alert> {
        let mut due = Vec::new();
        for (position, reading) in (0..).zip(readings) {
            let new = self.thresholds.iter().filter(|&&threshold| {
                !reading.raised.contains(&threshold)
                    && reading.after.reaches_percent(threshold, reading.limit)
            });
            due.extend(new.map(|&threshold| words::alert(position, threshold, reading)));
        }
        due
    }

    fn recommend(&self, readings: &[Reading]) -> Vec<Recommendation> {
        let Some(from) = self.recommend_from else { return Vec::new() };
        let near = readings.iter().filter(|it| it.after.reaches_percent(from, it.limit));
        words::upgrades(near)
    }
}
