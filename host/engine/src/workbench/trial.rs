//! A candidate that was taken, to be asked one thing after the other.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_domain::{Plan, Reading, SubjectPath};

use crate::beside::Seat;
use crate::candidate::AnyPolicy;
use crate::fault::Fault;
use crate::instance::Instance;
use crate::kinds::{Kind, PolicyKind};
use crate::manifest::{AppliesTo, Manifest};
use crate::policy::{Handle, Policy};
use crate::question::{
    Adjust, Advise, Answer, Ask, Candidates, Due, Evaluate, Expect, Extract, Price, Question,
    Recommend,
};
use crate::stats::Spent;

/// A policy that is in no set, probed and ready.
pub struct Trial {
    policy: AnyPolicy,
}

/// An answer, and what it took.
#[derive(Clone, Debug)]
pub struct Measured {
    pub answer: Result<Answer, Failed>,
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
            AnyPolicy::Tier(policy) => &policy.terms.plans[..],
            AnyPolicy::Pricing(_) | AnyPolicy::Alert(_) | AnyPolicy::Adjustment(_) => &[],
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
                let estimated_cost = *estimated_cost;
                Some(measure(policy, Evaluate { call, snapshot, estimated_cost }))
            }
            (AnyPolicy::Pricing(policy), Question::Price { call, at }) => {
                Some(measure(policy, Price { call, at: *at }))
            }
            (AnyPolicy::Pricing(policy), Question::Estimate { call, at, average }) => {
                Some(measure(policy, Expect { call, at: *at, average }))
            }
            (AnyPolicy::Adjustment(policy), Question::Adjust { call, at, payer, quote }) => {
                Some(measure(policy, Adjust { call, at: *at, payer, quote }))
            }
            (
                AnyPolicy::Pricing(policy),
                Question::Extract { provider, flavor, response, subject },
            ) => {
                let subject = subject.as_ref();
                Some(measure(policy, Extract { provider, flavor, response, subject }))
            }
            (AnyPolicy::Alert(policy), Question::Due { readings }) => {
                Some(measure(policy, Due(&own(readings, applies))))
            }
            (AnyPolicy::Alert(policy), Question::Recommend { readings }) => {
                Some(measure(policy, Recommend(&own(readings, applies))))
            }
            (AnyPolicy::Alert(policy), Question::Candidates { subject, models })
                if policy.terms.advises =>
            {
                Some(measure(policy, Candidates { subject, models }))
            }
            (AnyPolicy::Alert(policy), Question::Advise { outlook }) if policy.terms.advises => {
                Some(measure(policy, Advise(&applies.outlook(outlook))))
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
        Question::Price { call, .. }
        | Question::Estimate { call, .. }
        | Question::Adjust { call, .. } => applies.call(call),
        Question::Extract { provider, .. } => applies.provider(Some(provider)),
        Question::Due { readings } | Question::Recommend { readings } => {
            !own(readings, applies).is_empty()
        }
        Question::Candidates { subject, .. } => applies.subject(subject),
        Question::Advise { outlook } => applies.level(&outlook.subject, outlook.plan.as_ref()),
    }
}

fn own<'a>(readings: &'a [Reading], applies: &AppliesTo) -> Vec<&'a Reading> {
    readings.iter().filter(|reading| applies.reading(reading)).collect()
}

/// Calls a warm instance. Its time is the call's alone, without the host's own counting.
fn measure<K: PolicyKind, A: Ask<K>>(policy: &Arc<Policy<K>>, ask: A) -> Measured {
    let seat = Seat { policy: policy.clone(), beside: None };
    let watched = Watched { ask, took: Cell::default() };
    let answer = Handle::new(&seat).call(&watched);
    let (time, Spent { fuel, memory_bytes }) = watched.took.get();
    let failed = |fault: Fault| Failed { kind: fault.kind(), message: fault.to_string() };
    Measured { answer: answer.map(Into::into).map_err(failed), time, fuel, memory_bytes }
}

/// A question that remembers what it took to answer it.
struct Watched<A> {
    ask: A,
    took: Cell<(Duration, Spent)>,
}

impl<K: PolicyKind, A: Ask<K>> Ask<K> for Watched<A> {
    type Answer = A::Answer;

    fn ask(&self, instance: &mut Instance<K>) -> Result<Self::Answer, Fault> {
        let started = Instant::now();
        let answer = self.ask.ask(instance);
        self.took.set((started.elapsed(), instance.spent()));
        answer
    }

    fn subject(&self) -> Option<&SubjectPath> {
        self.ask.subject()
    }

    fn question(&self) -> Question {
        self.ask.question()
    }
}
