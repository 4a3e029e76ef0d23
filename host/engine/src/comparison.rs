//! How a candidate that runs beside the active version compares with it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use tollgate_domain::SubjectPath;
use utoipa::ToSchema;

use crate::fault::Fault;
use crate::manifest::Rollout;
use crate::policy::Card;
use crate::question::{Answer, Question};

/// Calls that are shown: the first ones that differed, and the latest.
const FIRST_MAX: usize = 10;
const LATEST_MAX: usize = 10;

/// Counts and examples of one candidate, for as long as its bytes are the same.
#[derive(Default)]
pub(crate) struct Comparison {
    agreed: AtomicU64,
    differed: AtomicU64,
    faulted: AtomicU64,
    passed_over: AtomicU64,
    examples: Mutex<Examples>,
}

#[derive(Default)]
struct Examples {
    first: Vec<Example>,
    latest: VecDeque<Example>,
}

/// A call on which the two versions do not agree.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DifferingCall)]
pub struct Example {
    #[schema(required)]
    pub subject: Option<SubjectPath>,
    /// What both were asked.
    pub input: Value,
    /// What the active version answered, or the fault that it had.
    pub active: Value,
    /// What the candidate did.
    pub candidate: Value,
}

/// How a shadow or canary compares.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShadowInfo {
    pub name: String,
    /// `shadow` or `canary`.
    pub stage: &'static str,
    /// Of the subjects, which the canary decides for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    pub plugin_digest: String,
    pub config_digest: String,
    /// Calls that both versions were asked about.
    pub compared: u64,
    pub agreed: u64,
    pub differed: u64,
    /// On which one of them failed.
    pub faulted: u64,
    /// Calls that came faster than they could be compared.
    pub passed_over: u64,
    /// Calls on which they differ: the first ones, and the latest.
    pub differing: Vec<Example>,
}

impl Comparison {
    pub fn agreed(&self) {
        self.agreed.fetch_add(1, Relaxed);
    }

    pub fn passed_over(&self) {
        self.passed_over.fetch_add(1, Relaxed);
    }

    pub fn differed(&self, question: Question, active: Answer, candidate: Answer) {
        self.show(&self.differed, question, json(&active), json(&candidate));
    }

    pub fn faulted(
        &self,
        question: Question,
        answer: Answer,
        fault: &Fault,
        candidate_failed: bool,
    ) {
        let fault = serde_json::json!({ "fault": fault.kind(), "message": fault.to_string() });
        match candidate_failed {
            true => self.show(&self.faulted, question, json(&answer), fault),
            false => self.show(&self.faulted, question, fault, json(&answer)),
        }
    }

    /// Counts a call and shows it, in one go: whoever sees the count sees the call.
    fn show(&self, count: &AtomicU64, question: Question, active: Value, candidate: Value) {
        let subject = question.subject().cloned();
        let example = Example { subject, input: json(&question), active, candidate };
        let mut examples = self.examples.lock();
        count.fetch_add(1, Relaxed);
        if examples.first.len() < FIRST_MAX {
            examples.first.push(example);
            return;
        }
        if examples.latest.len() >= LATEST_MAX {
            examples.latest.pop_front();
        }
        examples.latest.push_back(example);
    }
}

impl ShadowInfo {
    /// `None` for a policy that is no candidate.
    pub(crate) fn new(card: &Card) -> Option<Self> {
        let (stage, percent) = match card.manifest.rollout {
            Rollout::Active => return None,
            Rollout::Shadow => ("shadow", None),
            Rollout::Canary { percent } => ("canary", Some(percent)),
        };
        let comparison = &card.comparison;
        let examples = comparison.examples.lock();
        let [agreed, differed, faulted, passed_over] = [
            &comparison.agreed,
            &comparison.differed,
            &comparison.faulted,
            &comparison.passed_over,
        ]
        .map(|count| count.load(Relaxed));
        Some(Self {
            name: card.manifest.name.clone(),
            stage,
            percent,
            plugin_digest: card.plugin.digest.to_string(),
            config_digest: card.manifest.digest.to_string(),
            compared: agreed + differed + faulted,
            agreed,
            differed,
            faulted,
            passed_over,
            differing: examples.first.iter().chain(&examples.latest).cloned().collect(),
        })
    }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
