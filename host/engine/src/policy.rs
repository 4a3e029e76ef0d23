//! A policy that can be called, and its warm instances.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tollgate_domain::{RootId, SubjectPath, Timestamp};

use crate::beside::{Beside, Seat};
use crate::comparison::Comparison;
use crate::fault::Fault;
use crate::instance::{Blueprint, Instance, StartError};
use crate::kinds::PolicyKind;
use crate::manifest::{Manifest, Rollout};
use crate::options::Options;
use crate::overseer::{Job, KeptInput, Overseer};
use crate::plugin::Plugin;
use crate::question::{Answer, Ask, To, root_of};
use crate::stats::Stats;

/// A policy that faults so soon after it became active is given up, where it faults for many.
const ON_TRIAL: Duration = Duration::from_secs(10 * 60);

/// How many tenants must see it fault. One with a poisonous input is refused alone.
const ROOTS_MIN: usize = 3;

/// How many of a hundred calls must fault.
const FAULTS_PERCENT_MIN: u64 = 1;

/// One call in so many is asked again of a fresh instance, so long as that takes little time.
pub(crate) const RECHECK_EVERY: u64 = 1000;

/// Where making an instance takes no longer than this, whoever has used one up makes another.
const SOON: Duration = Duration::from_micros(200);

/// Of so many faults of a kind the inputs are kept, and of every power of two.
const INPUTS_FROM_START: u64 = 8;

/// A plugin under a manifest, probed and ready.
pub(crate) struct Policy<K: PolicyKind> {
    pub card: Card,
    pub terms: K::Terms,
    pub kept: K::Kept,
    blueprint: Blueprint<K>,
    /// The most recently used one last: its memory is the likeliest to be in a cache.
    idle: Mutex<Vec<Instance<K>>>,
    idle_max: usize,
    /// How many instances are with handles that have not called yet.
    waiting: AtomicUsize,
    calls_per_instance_max: u64,
    /// How long it took to make the last instance, in microseconds.
    starts_in: AtomicU64,
}

/// What there is to say about a policy, whatever its kind.
pub(crate) struct Card {
    pub manifest: Arc<Manifest>,
    pub plugin: Arc<Plugin>,
    pub stats: Arc<Stats>,
    /// Set when it first becomes part of the active set.
    pub activated_at: OnceLock<Timestamp>,
    /// With the active version, while this one is a candidate beside it.
    pub comparison: Comparison,
    overseer: Arc<Overseer>,
    /// Tenants that saw it fault while it was on trial; no more than it takes.
    roots: Mutex<Vec<RootId>>,
    /// Whether the overseer was told to take it out.
    given_up: AtomicBool,
}

impl<K: PolicyKind> Policy<K> {
    /// `warm` are instances that are configured already.
    pub fn new(
        manifest: Arc<Manifest>,
        plugin: Arc<Plugin>,
        blueprint: Blueprint<K>,
        terms: K::Terms,
        warm: Vec<Instance<K>>,
        options: &Options,
        overseer: Arc<Overseer>,
    ) -> Self {
        let card = Card {
            manifest,
            plugin,
            stats: blueprint.stats(),
            activated_at: OnceLock::new(),
            comparison: Comparison::default(),
            overseer,
            roots: Mutex::default(),
            given_up: AtomicBool::new(false),
        };
        Self {
            card,
            terms,
            kept: K::Kept::default(),
            blueprint,
            idle: Mutex::new(warm),
            waiting: AtomicUsize::new(0),
            idle_max: options.idle_per_policy_max,
            calls_per_instance_max: options.calls_per_instance_max,
            // Nobody knows yet: the first one is made off the path.
            starts_in: AtomicU64::new(u64::MAX),
        }
    }

    /// Asks off the path of calls. Only what a shadow is asked counts as a call.
    pub fn answer<A: Ask<K>>(&self, ask: &A, to: To) -> Result<Answer, Fault> {
        let started = Instant::now();
        let mut instance = match to {
            To::Fresh => self.start()?,
            To::Warm => self.take()?,
        };
        let answer = ask.ask(&mut instance);
        if to == To::Warm {
            if self.card.manifest.rollout == Rollout::Shadow {
                self.card.stats.call_took(started.elapsed(), &instance.spent());
                let _ = answer.as_ref().inspect_err(|fault| {
                    self.card.stats.faulted(fault);
                });
            }
            if answer.is_ok() {
                self.give_back(instance);
            }
        }
        Ok(answer?.into())
    }

    fn take(&self) -> Result<Instance<K>, Fault> {
        match self.idle.lock().pop() {
            Some(instance) => Ok(instance),
            None => self.start(),
        }
    }

    /// Makes an instance in place of one that is gone, so that the next call finds one as this one
    /// did. Whoever lost it waits for that, and nobody else; unless it takes long, as it does where
    /// a price list is read.
    fn replace(self: &Arc<Self>) {
        match self.starts_in.load(Relaxed) <= SOON.as_micros() as u64 {
            true => self.refill(),
            // Where there is no room for it, the next call makes its own.
            false => drop(self.card.overseer.post(Job::Refill { policy: K::any(self.clone()) })),
        }
    }

    /// Makes an instance to be at hand.
    pub fn refill(&self) {
        // Where that fails, the next call tries again, and counts and reports the fault.
        if let Ok(instance) = self.start() {
            self.give_back(instance);
        }
    }

    fn start(&self) -> Result<Instance<K>, Fault> {
        let begun = Instant::now();
        let started = self.blueprint.start();
        let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.starts_in.store(micros, Relaxed);
        started.map_err(|error| match error {
            StartError::Fault { fault, .. } => fault,
            // It took this configuration when it was probed.
            other => Fault::Trap(other.to_string()),
        })
    }

    /// Says whether the instance may go on: one that was called often is replaced.
    fn give_back(&self, instance: Instance<K>) -> bool {
        if instance.calls() >= self.calls_per_instance_max {
            return false;
        }
        let mut idle = self.idle.lock();
        if idle.len() < self.idle_max {
            idle.push(instance);
        }
        true
    }

    #[cold]
    fn note<A: Ask<K>>(self: &Arc<Self>, fault: &Fault, ask: &A) {
        let card = &self.card;
        let count = card.stats.faulted(fault);
        // Doubling distances: a policy that fails in every call must not drown the log.
        if count.is_power_of_two() {
            let policy = &*card.manifest.name;
            let (kind, revision) = (fault.kind(), card.revision());
            tracing::warn!(policy, revision, kind, count, "a policy {fault}");
        }
        if matches!(fault, Fault::Unavailable(_)) {
            return;
        }
        let policy = K::any(self.clone());
        if count <= INPUTS_FROM_START || count.is_power_of_two() {
            let (at, question) = (card.overseer.now(), ask.question());
            let input = KeptInput::new(&policy, at, fault.kind(), fault.to_string(), &question);
            card.overseer.keep_input(&card.manifest.name, input);
        }
        if let Some(reason) = card.blame(ask.subject())
            && !card.given_up.swap(true, Relaxed)
            && !card.overseer.post(Job::Withdraw { policy, reason })
        {
            // The next fault says it again.
            card.given_up.store(false, Relaxed);
        }
    }

    #[cold]
    fn look_again<A: Ask<K>>(
        self: &Arc<Self>,
        ask: &A,
        answer: &A::Answer,
        beside: Option<&Arc<Beside>>,
        recheck: bool,
    ) {
        if let Some(beside) = beside {
            let (candidate, other) = (beside.candidate.clone(), beside.other.clone());
            let comparison = candidate.clone();
            let (question, answer) = (ask.question(), answer.clone().into());
            if !self.card.overseer.post(Job::Compare { candidate, other, question, answer }) {
                comparison.card().comparison.passed_over();
            }
        }
        if recheck && self.card.overseer.may_recheck() {
            let policy = K::any(self.clone());
            let (question, answer) = (ask.question(), answer.clone().into());
            // Another one will do as well.
            let _ = self.card.overseer.post(Job::Recheck { policy, question, answer });
        }
    }
}

impl Card {
    /// Tells this version of the policy from every other, at a glance.
    pub fn revision(&self) -> String {
        format!("{}-{}", self.plugin.digest.short(), self.manifest.digest.short())
    }

    /// Takes note of who saw it fault; says why it should be given up, if it should.
    fn blame(&self, subject: Option<&SubjectPath>) -> Option<String> {
        let on_trial = match self.manifest.rollout {
            Rollout::Active => self.overseer.now().since(*self.activated_at.get()?) <= ON_TRIAL,
            // Until somebody decides.
            Rollout::Canary { .. } => true,
            Rollout::Shadow => false,
        };
        let root = root_of(subject).filter(|_| on_trial)?;
        let mut roots = self.roots.lock();
        if roots.len() < ROOTS_MIN && !roots.contains(&root) {
            roots.push(root);
        }
        if roots.len() < ROOTS_MIN {
            return None;
        }
        let (calls, faults) = (self.stats.calls(), self.stats.faults());
        let total = faults.iter().filter(|(kind, _)| **kind != "unavailable").map(|(_, n)| n).sum();
        let total: u64 = total;
        if total.saturating_mul(100) < calls.saturating_mul(FAULTS_PERCENT_MIN) {
            return None;
        }
        let kinds: Vec<_> = faults.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let kinds = kinds.join(", ");
        Some(format!(
            "{total} of its {calls} calls failed ({kinds}), for {ROOTS_MIN} subjects or more"
        ))
    }
}

/// A policy with an instance at hand.
///
/// The instance is taken when the handle is made, so that a call need not wait for one to be
/// started, and goes back to the others after the call: what is needed is as many instances as
/// threads call at the same time, not as many as requests wait for a disk. Where more wait to
/// call than a policy may keep idle, the rest take theirs when their turn has come.
pub(crate) struct Handle<K: PolicyKind> {
    policy: Arc<Policy<K>>,
    beside: Option<Arc<Beside>>,
    instance: Option<Instance<K>>,
}

impl<K: PolicyKind> Handle<K> {
    pub fn new(seat: &Seat<K>) -> Self {
        let Seat { policy, beside } = seat.clone();
        let instance = None;
        let mut handle = Self { policy, beside, instance };
        let policy = &handle.policy;
        if policy.waiting.fetch_add(1, Relaxed) < policy.idle_max {
            // Where this fails, the call will try again, and count and report the fault.
            handle.instance = policy.take().ok();
        }
        if handle.instance.is_none() {
            handle.policy.waiting.fetch_sub(1, Relaxed);
        }
        handle
    }

    /// One that takes its instance when it calls: for a policy that seldom has to be asked.
    pub fn seldom(seat: &Seat<K>) -> Self {
        let Seat { policy, beside } = seat.clone();
        Self { policy, beside, instance: None }
    }

    pub fn policy(&self) -> &Policy<K> {
        &self.policy
    }

    /// Whether every answer is compared with another version's: then every question is asked.
    pub fn is_compared(&self) -> bool {
        self.beside.is_some()
    }

    /// Counts a question that was answered from what the policy said before.
    pub fn answered_before(&self) {
        self.policy.card.stats.call_took(Duration::ZERO, &Default::default());
    }

    /// Calls the policy; counts and times the call. An instance that faulted is dropped.
    pub fn call<A: Ask<K>>(&mut self, ask: &A) -> Result<A::Answer, Fault> {
        self.call_and_check(ask, false)
    }

    /// The same, and has a fresh instance asked as well if `check` says so.
    pub fn call_and_check<A: Ask<K>>(&mut self, ask: &A, check: bool) -> Result<A::Answer, Fault> {
        let started = Instant::now();
        let mut instance = match self.at_hand().map_or_else(|| self.policy.take(), Ok) {
            Ok(instance) => instance,
            Err(fault) => {
                self.policy.card.stats.call_took(started.elapsed(), &Default::default());
                self.policy.note(&fault, ask);
                return Err(fault);
            }
        };
        let outcome = ask.ask(&mut instance);
        self.policy.card.stats.call_took(started.elapsed(), &instance.spent());
        match &outcome {
            Ok(answer) => {
                let recheck = check || instance.calls().is_multiple_of(RECHECK_EVERY);
                if !self.policy.give_back(instance) {
                    self.policy.replace();
                }
                if recheck || self.beside.is_some() {
                    self.policy.look_again(ask, answer, self.beside.as_ref(), recheck);
                }
            }
            Err(fault) => {
                drop(instance);
                self.policy.note(fault, ask);
                self.policy.replace();
            }
        }
        outcome
    }

    fn at_hand(&mut self) -> Option<Instance<K>> {
        self.instance.take().inspect(|_| {
            self.policy.waiting.fetch_sub(1, Relaxed);
        })
    }
}

impl<K: PolicyKind> Drop for Handle<K> {
    fn drop(&mut self) {
        if let Some(instance) = self.at_hand() {
            self.policy.give_back(instance);
        }
    }
}
