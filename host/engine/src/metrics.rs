//! What there is to measure, for whoever publishes it.

use std::time::Duration;

use crate::Kind;
use crate::candidate::AnyPolicy;

/// Counts of one version of a policy. All of it begins anew with the next version.
#[derive(Clone, Debug)]
pub struct PolicyMetrics {
    pub policy: String,
    /// Of the policy: a few digits of its plugin's digest and of its configuration's.
    pub revision: String,
    pub kind: Kind,
    /// `active`, `shadow` or `canary`.
    pub stage: &'static str,
    /// Every kind of fault, with its count.
    pub faults: Vec<(&'static str, u64)>,
    /// How many calls took at most so long, for growing durations; those above the last one are in
    /// `calls` alone.
    pub durations: Vec<(Duration, u64)>,
    pub calls: u64,
    /// Of all calls together.
    pub duration: Duration,
    pub fuel: u64,
    /// The most that one instance had.
    pub memory_bytes: u64,
    /// That there are now, at work or waiting for it.
    pub instances: u64,
    /// Calls that were asked again of a fresh instance.
    pub rechecks: u64,
}

/// Counts of the engine since its start.
#[derive(Clone, Copy, Debug)]
pub struct EngineMetrics {
    /// How often the folder was looked at.
    pub looks: u64,
    /// How often another set became active.
    pub activations: u64,
    /// How many policies were refused, each once for each reason.
    pub refusals: u64,
    pub compiled: u64,
    /// Checks and comparisons that there was no time for.
    pub passed_over: u64,
}

impl PolicyMetrics {
    pub(crate) fn new(policy: &AnyPolicy) -> Self {
        let card = policy.card();
        let stats = &card.stats;
        let (durations, calls) = stats.durations();
        Self {
            policy: card.manifest.name.clone(),
            revision: card.revision(),
            kind: card.manifest.kind,
            stage: card.manifest.rollout.as_str(),
            faults: stats.all_faults(),
            durations,
            calls,
            duration: stats.duration(),
            fuel: stats.fuel(),
            memory_bytes: stats.memory_bytes(),
            instances: stats.instances(),
            rechecks: stats.rechecks(),
        }
    }
}
