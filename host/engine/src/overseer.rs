//! Looks after policies that are active: what went wrong, and what is to be looked at again, all of
//! it off the path of calls.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use tollgate_domain::{SubjectPath, Timestamp};
use utoipa::ToSchema;

use crate::Now;
use crate::candidate::AnyPolicy;
use crate::fault::Fault;
use crate::policies::Policies;
use crate::question::{Answer, Question, To};

/// Jobs that may wait. Where calls come faster than they can be looked at, some are not.
const JOBS_MAX: usize = 1024;

/// Inputs that are kept of each policy, and how large one may be.
const INPUTS_MAX: usize = 16;
const INPUT_BYTES_MAX: usize = 32 << 10;
const NAMES_MAX: usize = 256;

/// After a fresh instance was asked, none is for so many times as long: where making one takes
/// milliseconds and calls come by the ten thousand, that would be a core's twentieth.
const RECHECK_REST: u32 = 50;

/// What every policy reports to.
pub(crate) struct Overseer {
    now: Now,
    jobs: SyncSender<Job>,
    passed_over: AtomicU64,
    inputs: Mutex<BTreeMap<String, VecDeque<KeptInput>>>,
    started: Instant,
    /// In microseconds since the start: until then nothing is rechecked.
    resting_until: AtomicU64,
}

/// Something to be done off the path.
pub(crate) enum Job {
    /// Asks a fresh instance what a warm one was asked: the answers must be the same.
    Recheck { policy: AnyPolicy, question: Question, answer: Answer },
    /// Puts a question that was answered to the version that runs beside.
    Compare { candidate: AnyPolicy, other: AnyPolicy, question: Question, answer: Answer },
    /// Makes an instance in place of one that is gone.
    Refill { policy: AnyPolicy },
    /// Takes a policy out of the active set that faults too often.
    Withdraw { policy: AnyPolicy, reason: String },
}

/// An input on which a policy failed, for its author.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KeptInput {
    pub at: Timestamp,
    /// SHA-256 of the plugin and of the configuration that failed, in hexadecimal.
    pub plugin_digest: String,
    pub config_digest: String,
    /// As faults are counted: `out_of_fuel`, `trap`, …, or `impure`.
    pub kind: String,
    pub message: String,
    #[schema(required)]
    pub subject: Option<SubjectPath>,
    /// What it was asked; null where that is too large to be kept.
    pub input: Value,
}

impl Overseer {
    pub fn new(now: Now) -> (Arc<Self>, Receiver<Job>) {
        let (jobs, received) = sync_channel(JOBS_MAX);
        let overseer = Self {
            now,
            jobs,
            passed_over: AtomicU64::new(0),
            inputs: Mutex::default(),
            started: Instant::now(),
            resting_until: AtomicU64::new(0),
        };
        (Arc::new(overseer), received)
    }

    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// Has something done, soon; says whether it will be.
    pub fn post(&self, job: Job) -> bool {
        match self.jobs.try_send(job) {
            Ok(()) => true,
            // Nobody listens only when the engine is coming to its end.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.passed_over.fetch_add(1, Relaxed);
                false
            }
        }
    }

    /// Whether there is time to ask a fresh instance.
    pub fn may_recheck(&self) -> bool {
        micros(self.started.elapsed()) >= self.resting_until.load(Relaxed)
    }

    fn rest_after_recheck(&self, took: Duration) {
        let until = self.started.elapsed() + took * RECHECK_REST;
        self.resting_until.store(micros(until), Relaxed);
    }

    /// How many jobs there was no room for.
    pub fn passed_over(&self) -> u64 {
        self.passed_over.load(Relaxed)
    }

    /// Keeps an input, in place of the oldest of the same policy where there are many.
    pub fn keep_input(&self, policy: &str, input: KeptInput) {
        let mut all = self.inputs.lock();
        if all.len() >= NAMES_MAX && !all.contains_key(policy) {
            return;
        }
        let own = all.entry(policy.to_owned()).or_default();
        if own.len() >= INPUTS_MAX {
            own.pop_front();
        }
        own.push_back(input);
    }

    /// The inputs on which a policy failed last, the newest first.
    pub fn inputs(&self, policy: &str) -> Vec<KeptInput> {
        let all = self.inputs.lock();
        all.get(policy).into_iter().flatten().rev().cloned().collect()
    }
}

impl KeptInput {
    pub(crate) fn new(
        policy: &AnyPolicy,
        at: Timestamp,
        kind: &str,
        message: String,
        question: &Question,
    ) -> Self {
        let card = policy.card();
        let json = serde_json::to_string(question).ok();
        let json = json.filter(|json| json.len() <= INPUT_BYTES_MAX);
        Self {
            at,
            plugin_digest: card.plugin.digest.to_string(),
            config_digest: card.manifest.digest.to_string(),
            kind: kind.to_owned(),
            message,
            subject: question.subject().cloned(),
            input: json.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default(),
        }
    }
}

/// Does the jobs, one after the other, for as long as the engine lives.
pub(crate) fn start(policies: Weak<Policies>, jobs: Receiver<Job>) -> std::io::Result<()> {
    let work = move || {
        for job in jobs {
            let Some(policies) = policies.upgrade() else { return };
            match job {
                Job::Recheck { policy, question, answer } => {
                    recheck(&policies, &policy, &question, &answer);
                }
                Job::Compare { candidate, other, question, answer } => {
                    compare(&candidate, &other, question, answer);
                }
                Job::Refill { policy } => policy.refill(),
                Job::Withdraw { policy, reason } => policies.withdraw(&policy, &reason),
            }
        }
    };
    thread::Builder::new().name("policy-overseer".into()).spawn(work).map(drop)
}

fn recheck(policies: &Policies, policy: &AnyPolicy, question: &Question, answer: &Answer) {
    let card = policy.card();
    card.stats.rechecked();
    // Where a fresh instance fails, its limits may be to blame: that is no other answer.
    let begun = Instant::now();
    let answered = question.put_to(policy, To::Fresh);
    policies.works().overseer.rest_after_recheck(begun.elapsed());
    let Ok(again) = answered else { return };
    if again == *answer {
        return;
    }
    card.stats.faulted(&Fault::Impure);
    let overseer = &policies.works().overseer;
    let kind = Fault::Impure.kind();
    let message = format!("answered {answer:?}, and {again:?} when it was new");
    let kept = KeptInput::new(policy, overseer.now(), kind, message, question);
    overseer.keep_input(policy.name(), kept);
    let reason = "gave another answer to the same question when it was new: it keeps something \
                  between calls";
    policies.withdraw(policy, reason);
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// `answer` is what was in force; of the two versions, one is the candidate and one decides.
fn compare(candidate: &AnyPolicy, other: &AnyPolicy, question: Question, answer: Answer) {
    let comparison = &candidate.card().comparison;
    let answered = question.put_to(other, To::Warm);
    let candidate_is_asked = other.is(candidate);
    match answered {
        Ok(again) if again == answer => comparison.agreed(),
        Ok(again) => {
            let (active, new) = if candidate_is_asked { (answer, again) } else { (again, answer) };
            comparison.differed(question, active, new);
        }
        Err(Fault::Unavailable(_)) => comparison.passed_over(),
        Err(fault) => comparison.faulted(question, answer, &fault, candidate_is_asked),
    }
}
