//! Warns when a quota reaches a share of its limit, and advises on plans and models: a larger plan in
//! time, a smaller one that would do, a cheaper model for the same use.

mod models;
mod plans;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeSet;

use serde::Deserialize;
use tollgate_plugin::advice::{Advice, Candidate, Model, Outlook};
use tollgate_plugin::alert::{Alert, Reading, Recommendation};
use tollgate_plugin::{AlertPolicy, Description, Pointer, Policy, Problem, Problems, export_alert};

use crate::models::{Alternatives, WorthSaying};

/// The `[config]` table of the manifest. All numbers are percent of a limit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ThresholdAlerts {
    thresholds: Vec<u32>,
    /// From where on a larger plan is advised; absent for never.
    recommend_from: Option<u32>,
    /// Below which use of its limits a cheaper plan is advised; absent for never.
    downgrade_below: Option<u32>,
    /// From where on a cheaper model is advised; absent for never.
    cheaper_models_from: Option<WorthSaying>,
    /// Which models are comparable.
    #[serde(default)]
    alternatives: Vec<Alternatives>,
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
        let at = Pointer::root().to("downgrade_below");
        let is_share = config.downgrade_below.is_none_or(|it| (1..=100).contains(&it));
        problems.unless(is_share, &at, "must be between 1 and 100");
        if let Some(worth_saying) = &config.cheaper_models_from {
            worth_saying.check(&Pointer::root().to("cheaper_models_from"), &mut problems);
        }
        for (entry, at) in
            config.alternatives.iter().zip(Pointer::root().to("alternatives").items())
        {
            entry.check(&at, &mut problems);
        }
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

    fn quiet_below(&self) -> u32 {
        self.thresholds.iter().copied().min().unwrap_or(u32::MAX)
    }

    fn recommend(&self, readings: &[Reading]) -> Vec<Recommendation> {
        let Some(from) = self.recommend_from else { return Vec::new() };
        let near = readings.iter().filter(|it| it.after.reaches_percent(from, it.limit));
        words::upgrades(near)
    }

    fn candidates(&self, used: &[Model]) -> Vec<Candidate> {
        match self.cheaper_models_from {
            Some(_) => models::candidates(&self.alternatives, used),
            None => Vec::new(),
        }
    }

    fn advise(&self, outlook: &Outlook) -> Vec<Advice> {
        let larger = self.recommend_from.and_then(|from| plans::larger(outlook, from));
        let smaller = || self.downgrade_below.and_then(|below| plans::smaller(outlook, below));
        let mut advice: Vec<_> = larger.or_else(smaller).into_iter().collect();
        if let Some(worth_saying) = self.cheaper_models_from {
            advice.extend(models::advise(outlook, worth_saying));
        }
        advice
    }
}
