//! A candidate that was taken, to be asked one thing after the other.

use std::time::{Duration, Instant};

use tollgate_domain::{
    Alert, Call, Estimate, Extraction, Opinion, Plan, ProviderId, Quote, Reading, Snapshot,
    Timestamp, Usd,
};

use crate::candidate::AnyPolicy;
use crate::fault::Fault;
use crate::instance::Instance;
use crate::kinds::{self, Answer, Kind, PolicyKind, Recommendation, Rejected};
use crate::manifest::{AppliesTo, Manifest};
use crate::policy::Handle;
use crate::stats::Spent;

/// A policy that is in no set, probed and ready.
pub struct Trial {
    policy: AnyPolicy,
}

/// What the host may ask a policy.
#[derive(Clone, Debug)]
pub enum Question {
    Evaluate { call: Call, snapshot: Snapshot, estimated_cost: Option<Usd> },
    Price { call: Call, at: Timestamp },
    Estimate { call: Call, at: Timestamp },
    Extract { provider: ProviderId, flavor: String, response: String },
    Due(Vec<Reading>),
    Recommend(Vec<Reading>),
}

/// What a policy answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Opinion(Opinion),
    Quote(Option<Quote>),
    Estimate(Option<Estimate>),
    Extraction(Option<Extraction>),
    /// A pricing policy's word that what was stated is wrong.
    Rejected(Rejected),
    Alerts(Vec<Alert>),
    Recommendations(Vec<Recommendation>),
}

/// An answer, and what it took.
#[derive(Clone, Debug)]
pub struct Measured {
    pub reply: Result<Reply, Failed>,
    pub time: Duration,
    pub fuel: u64,
    /// What the instance has after the call, of all linear memories together.
    pub memory_bytes: u64,
}

/// Why there is no answer, as the host counts it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it {message}")]
pub struct Failed {
    /// `out_of_fuel`, `deadline`, `memory`, `trap`, `bad_output` or `unavailable`.
    pub kind: &'static str,
    pub message: String,
}

/// What one call may use, in the words of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitsInForce {
    /// Without what is added for the length of the input.
    pub fuel_per_call: u64,
    pub memory_bytes: u64,
    pub deadline: Duration,
}

impl Trial {
    pub(super) fn new(policy: AnyPolicy) -> Self {
        Self { policy }
    }

    pub fn kind(&self) -> Kind {
        self.manifest().kind
    }

    pub fn limits(&self) -> LimitsInForce {
        let limits = self.manifest().limits;
        LimitsInForce {
            fuel_per_call: limits.fuel_per_call,
            memory_bytes: limits.memory_bytes(),
            deadline: Duration::from_millis(limits.deadline_ms),
        }
    }

    /// The plans that it defines.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        let plans = match &self.policy {
            AnyPolicy::Tier(policy) => &policy.terms[..],
            AnyPolicy::Pricing(_) | AnyPolicy::Alert(_) => &[],
        };
        plans.iter().map(|(plan, _)| plan)
    }

    /// Puts a question to it; `None` where the host would not, since it is for another kind of
    /// policy or its manifest narrows it to something else.
    pub fn ask(&self, question: &Question) -> Option<Measured> {
        let applies = &self.manifest().applies_to;
        if !concerns(question, applies) {
            return None;
        }
        match (&self.policy, question) {
            (AnyPolicy::Tier(policy), Question::Evaluate { call, snapshot, estimated_cost }) => {
                Some(measure(Handle::new(policy), |instance| {
                    let opinion = kinds::evaluate(instance, call, snapshot, *estimated_cost)?;
                    Ok(Reply::Opinion(opinion))
                }))
            }
            (AnyPolicy::Pricing(policy), Question::Price { call, at }) => {
                Some(measure(Handle::new(policy), |instance| {
                    Ok(reply(kinds::price(instance, call, *at)?, Reply::Quote))
                }))
            }
            (AnyPolicy::Pricing(policy), Question::Estimate { call, at }) => {
                Some(measure(Handle::new(policy), |instance| {
                    Ok(reply(kinds::estimate(instance, call, *at)?, Reply::Estimate))
                }))
            }
            (AnyPolicy::Pricing(policy), Question::Extract { provider, flavor, response }) => {
                Some(measure(Handle::new(policy), |instance| {
                    let found = kinds::extract(instance, provider, flavor, response)?;
                    Ok(reply(found, Reply::Extraction))
                }))
            }
            (AnyPolicy::Alert(policy), Question::Due(readings)) => {
                let own = own(readings, applies);
                Some(measure(Handle::new(policy), |instance| {
                    Ok(Reply::Alerts(kinds::due(instance, &own)?))
                }))
            }
            (AnyPolicy::Alert(policy), Question::Recommend(readings)) => {
                let own = own(readings, applies);
                Some(measure(Handle::new(policy), |instance| {
                    Ok(Reply::Recommendations(kinds::recommend(instance, &own)?))
                }))
            }
            _ => None,
        }
    }

    fn manifest(&self) -> &Manifest {
        &self.policy.card().manifest
    }
}

fn concerns(question: &Question, applies: &AppliesTo) -> bool {
    match question {
        Question::Evaluate { call, snapshot, .. } => applies.decision(call, snapshot),
        Question::Price { call, .. } | Question::Estimate { call, .. } => applies.call(call),
        Question::Extract { provider, .. } => applies.provider(Some(provider)),
        Question::Due(readings) | Question::Recommend(readings) => {
            !own(readings, applies).is_empty()
        }
    }
}

fn own<'a>(readings: &'a [Reading], applies: &AppliesTo) -> Vec<&'a Reading> {
    readings.iter().filter(|reading| applies.reading(reading)).collect()
}

fn reply<T>(answer: Answer<T>, found: impl FnOnce(Option<T>) -> Reply) -> Reply {
    match answer {
        Ok(answer) => found(answer),
        Err(rejected) => Reply::Rejected(rejected),
    }
}

/// Calls a warm instance. Its time is the call's alone, without the host's own counting.
fn measure<K: PolicyKind>(
    mut handle: Handle<K>,
    ask: impl FnOnce(&mut Instance<K>) -> Result<Reply, Fault>,
) -> Measured {
    let mut time = Duration::ZERO;
    let mut spent = Spent { fuel: 0, memory_bytes: 0 };
    let reply = handle.call(|instance| {
        let started = Instant::now();
        let reply = ask(instance);
        time = started.elapsed();
        spent = instance.spent();
        reply
    });
    let reply = reply.map_err(|fault| Failed { kind: fault.kind(), message: fault.to_string() });
    Measured { reply, time, fuel: spent.fuel, memory_bytes: spent.memory_bytes }
}
