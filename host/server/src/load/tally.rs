//! What came of the calls, added up.

use std::collections::BTreeMap;

use tollgate_domain::Usd;

use super::client::{Denied, Failure, Settled};
use super::deal::{self, Dealt};
use super::latency::Latency;
use super::trace::Row;

#[derive(Default)]
pub struct Tally {
    pub settled: u64,
    pub unpriced: u64,
    /// Tokens and cost of the settled calls.
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cost: Usd,
    /// How many calls of a plan were refused, for which reason.
    pub refusals: BTreeMap<(&'static str, Denied), u64>,
    /// How many calls failed, for which cause.
    pub failures: BTreeMap<String, u64>,
    pub reserve: Latency,
    pub settle: Latency,
}

impl Tally {
    pub fn settled(&mut self, row: Row, settled: &Settled) {
        self.settled += 1;
        self.input_tokens += u64::from(row.input_tokens);
        self.output_tokens += u64::from(row.output_tokens);
        match settled.cost {
            Some(cost) => self.add_cost(cost),
            None => self.unpriced += 1,
        }
    }

    pub fn refused(&mut self, call: Dealt, denied: Denied) {
        *self.refusals.entry((deal::plan(call.subject), denied)).or_default() += 1;
    }

    pub fn failed_at(&mut self, step: &str, failure: &Failure) {
        *self.failures.entry(format!("{step}: {failure}")).or_default() += 1;
    }

    pub fn merge(&mut self, other: Self) {
        self.settled += other.settled;
        self.unpriced += other.unpriced;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.add_cost(other.cost);
        for (refusal, calls) in other.refusals {
            *self.refusals.entry(refusal).or_default() += calls;
        }
        for (failure, calls) in other.failures {
            *self.failures.entry(failure).or_default() += calls;
        }
        self.reserve.merge(&other.reserve);
        self.settle.merge(&other.settle);
    }

    /// How many calls came to an end, good or bad.
    pub fn calls(&self) -> u64 {
        self.settled + self.refused_calls() + self.failed()
    }

    pub fn refused_calls(&self) -> u64 {
        self.refusals.values().sum()
    }

    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    fn add_cost(&mut self, cost: Usd) {
        match self.cost.checked_add(cost) {
            Some(sum) => self.cost = sum,
            None => *self.failures.entry("the costs do not add up".to_owned()).or_default() += 1,
        }
    }
}
