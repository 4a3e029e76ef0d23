//! A policy that can be called, and its warm instances.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::Mutex;
use tollgate_domain::Timestamp;

use crate::fault::Fault;
use crate::instance::{Blueprint, Instance, StartError};
use crate::kinds::PolicyKind;
use crate::manifest::Manifest;
use crate::options::Options;
use crate::plugin::Plugin;
use crate::stats::Stats;

/// A plugin under a manifest, probed and ready.
pub(crate) struct Policy<K: PolicyKind> {
    pub card: Card,
    pub terms: K::Terms,
    blueprint: Blueprint<K>,
    /// The most recently used one last: its memory is the likeliest to be in a cache.
    idle: Mutex<Vec<Instance<K>>>,
    idle_max: usize,
    /// How many instances are with handles that have not called yet.
    waiting: AtomicUsize,
    calls_per_instance_max: u64,
}

/// What there is to say about a policy, whatever its kind.
pub(crate) struct Card {
    pub manifest: Arc<Manifest>,
    pub plugin: Arc<Plugin>,
    pub stats: Stats,
    /// Set when it first becomes part of the active set.
    pub activated_at: OnceLock<Timestamp>,
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
    ) -> Self {
        Self {
            card: Card { manifest, plugin, stats: Stats::default(), activated_at: OnceLock::new() },
            terms,
            blueprint,
            idle: Mutex::new(warm),
            waiting: AtomicUsize::new(0),
            idle_max: options.idle_per_policy_max,
            calls_per_instance_max: options.calls_per_instance_max,
        }
    }

    fn take(&self) -> Result<Instance<K>, Fault> {
        if let Some(instance) = self.idle.lock().pop() {
            return Ok(instance);
        }
        self.blueprint.start().map_err(|error| match error {
            StartError::Fault { fault, .. } => fault,
            // It took this configuration when it was probed.
            other => Fault::Trap(other.to_string()),
        })
    }

    fn give_back(&self, instance: Instance<K>) {
        if instance.calls() >= self.calls_per_instance_max {
            return;
        }
        let mut idle = self.idle.lock();
        if idle.len() < self.idle_max {
            idle.push(instance);
        }
    }

    fn note(&self, fault: &Fault) {
        let count = self.card.stats.faulted(fault);
        // Doubling distances: a policy that fails in every call must not drown the log.
        if count.is_power_of_two() {
            let policy = &*self.card.manifest.name;
            let kind = fault.kind();
            tracing::warn!(policy, kind, count, "a policy {fault}");
        }
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
    instance: Option<Instance<K>>,
}

impl<K: PolicyKind> Handle<K> {
    pub fn new(policy: &Arc<Policy<K>>) -> Self {
        let mut handle = Self { policy: policy.clone(), instance: None };
        if policy.waiting.fetch_add(1, Relaxed) < policy.idle_max {
            // Where this fails, the call will try again, and count and report the fault.
            handle.instance = policy.take().ok();
        }
        if handle.instance.is_none() {
            policy.waiting.fetch_sub(1, Relaxed);
        }
        handle
    }

    pub fn policy(&self) -> &Policy<K> {
        &self.policy
    }

    /// Calls the policy; counts and times the call. An instance that faulted is dropped.
    pub fn call<R>(
        &mut self,
        function: impl FnOnce(&mut Instance<K>) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let started = Instant::now();
        let taken = self.at_hand().map_or_else(|| self.policy.take(), Ok);
        let outcome = taken.and_then(|mut instance| {
            let answer = function(&mut instance)?;
            self.policy.give_back(instance);
            Ok(answer)
        });
        self.policy.card.stats.call_took(started.elapsed());
        outcome.inspect_err(|fault| self.policy.note(fault))
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
