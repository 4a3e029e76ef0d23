//! The folder of policies, the set that is active, and the change from one to the next.

mod activation;
mod documents;
mod rollback;
mod trial;
mod withdraw;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;

use crate::archive::{Archive, ArchiveError, MemoryArchive};
use crate::candidate::AnyPolicy;
use crate::comparison::ShadowInfo;
use crate::digest::Digest;
use crate::history::{History, Member};
use crate::metrics::{EngineMetrics, PolicyMetrics};
use crate::options::Options;
use crate::orders::Orders;
use crate::overseer::{self, KeptInput, Overseer};
use crate::refusal::Refused;
use crate::runtime::Runtime;
use crate::set::PolicySet;
use crate::status::{PolicyStatus, Rejection, RevisionInfo, SparePlugin};
use crate::workshop::{Works, Workshop};
use crate::{Now, notes};

pub use documents::LayError;
pub use rollback::RollbackError;

/// The folder of policies and the set of them that is active.
pub struct Policies {
    works: Works,
    history: History,
    current: ArcSwapOption<PolicySet>,
    rejected: ArcSwap<Vec<Rejection>>,
    spare: ArcSwap<Vec<SparePlugin>>,
    counts: Counts,
    /// Whoever changes what is active holds this: two changes at once would undo each other.
    desk: Mutex<Desk>,
}

#[derive(Default)]
struct Counts {
    looks: AtomicU64,
    activations: AtomicU64,
    refusals: AtomicU64,
}

/// What it takes to change what is active.
#[derive(Default)]
struct Desk {
    workshop: Workshop,
    orders: Orders,
    /// The revision and the orders of the last step of the history.
    kept: Option<(String, Orders)>,
}

/// Why policies cannot be run at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot set up wasmtime: {0}")]
    Wasmtime(String),
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// What was lost may be what is in force.
    #[error("cannot read which policies were active last")]
    Archive(#[from] ArchiveError),
}

impl OpenError {
    pub(crate) fn wasmtime(error: wasmtime::Error) -> Self {
        Self::Wasmtime(format!("{error:#}"))
    }
}

impl Policies {
    /// Sets up the engine and looks at the folder once; forgets what was active at the end. A
    /// folder that is missing or broken is no error: there is no current set then, and the status
    /// says why.
    pub fn open(options: Options, now: Now) -> Result<Arc<Self>, OpenError> {
        Self::resume(options, now, Arc::new(MemoryArchive::default()))
    }

    /// The same, but goes on from what was active last, and then looks at the folder.
    pub fn resume(
        options: Options,
        now: Now,
        archive: Arc<dyn Archive>,
    ) -> Result<Arc<Self>, OpenError> {
        let (overseer, jobs) = Overseer::new(now);
        let policies = Arc::new(Self {
            works: Works { runtime: Runtime::new(&options)?, options, overseer },
            counts: Counts::default(),
            history: History::in_archive(archive),
            current: ArcSwapOption::empty(),
            rejected: ArcSwap::default(),
            spare: ArcSwap::default(),
            desk: Mutex::default(),
        });
        overseer::start(Arc::downgrade(&policies), jobs).map_err(OpenError::Thread)?;
        policies.go_on()?;
        policies.reload();
        Ok(policies)
    }

    /// The active set; `None` until a complete one was found. Waits for nobody.
    pub fn current(&self) -> Option<Arc<PolicySet>> {
        self.current.load_full()
    }

    /// What is active, and what is not and why.
    pub fn status(&self) -> PolicyStatus {
        let current = self.current();
        PolicyStatus {
            revision: current.as_ref().map(|set| set.revision().to_owned()),
            activated_at: current.as_ref().map(|set| set.activated_at()),
            policies: current.map(|set| set.info()).unwrap_or_default(),
            rejected: self.rejected.load().to_vec(),
            spare: self.spare.load().to_vec(),
        }
    }

    /// How the candidate compares that runs beside a policy, if there is one.
    pub fn shadow(&self, policy: &str) -> Option<ShadowInfo> {
        let set = self.current()?;
        let candidate = set.candidates().iter().find(|candidate| candidate.name() == policy)?;
        ShadowInfo::new(candidate.card())
    }

    /// The inputs on which a policy failed last, in any version since the start, the newest first.
    pub fn kept_inputs(&self, policy: &str) -> Vec<KeptInput> {
        self.works.overseer.inputs(policy)
    }

    /// Counts of every policy that is active or a candidate.
    pub fn policy_metrics(&self) -> Vec<PolicyMetrics> {
        let Some(set) = self.current() else { return Vec::new() };
        set.members().iter().chain(set.candidates()).map(PolicyMetrics::new).collect()
    }

    /// Counts of the engine itself.
    pub fn engine_metrics(&self) -> EngineMetrics {
        let Counts { looks, activations, refusals } = &self.counts;
        EngineMetrics {
            looks: looks.load(Relaxed),
            activations: activations.load(Relaxed),
            refusals: refusals.load(Relaxed),
            compiled: self.works.runtime.compiler.compiled(),
            passed_over: self.works.overseer.passed_over(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.works.options.folder
    }

    pub(crate) fn works(&self) -> &Works {
        &self.works
    }

    /// What was active when, the newest first: the steps before one, or all, and at most so many.
    /// May block.
    pub fn revisions(
        &self,
        before: Option<u64>,
        steps_max: usize,
    ) -> Result<Vec<RevisionInfo>, ArchiveError> {
        let (current, last) = (self.current(), self.history.last_number()?);
        let mut revisions: Vec<RevisionInfo> = Vec::new();
        for step in self.history.steps_before(before)?.take(steps_max) {
            let (number, step) = step?;
            let members = self.history.record(&step.revision)?.map_or(vec![], |r| r.members);
            let is_current = current.as_ref().is_some_and(|set| set.revision() == step.revision);
            let active = last == Some(number) && is_current;
            revisions.push(RevisionInfo::new(number, step, &members, active));
        }
        Ok(revisions)
    }

    /// Keeps the refusals for the status, writes a note beside each, and logs those that are new.
    /// `found` are the fingerprints of what lies in the folder.
    fn report(&self, refused: Vec<(String, Refused)>, found: &BTreeMap<String, Digest>) {
        let known = self.rejected.load();
        let reported = refused.into_iter().map(|(name, Refused { step, reason, .. })| {
            let step = step.as_str();
            let revision = found.get(&name).map(Digest::short);
            let same = |old: &&Rejection| {
                let known = (&old.name, old.step, &old.reason, &old.revision);
                known == (&name, step, &reason, &revision)
            };
            if let Some(old) = known.iter().find(same) {
                return old.clone();
            }
            self.counts.refusals.fetch_add(1, Relaxed);
            tracing::warn!(policy = name, step, "a policy was refused: {reason}");
            Rejection { name, step, reason, revision, seen_at: self.works.overseer.now() }
        });
        let reported: Vec<_> = reported.collect();
        // Whoever reads the status finds the notes in place.
        notes::update(&self.works.options.folder, &reported);
        self.rejected.store(Arc::new(reported));
    }
}

/// A member of the active set by its name.
fn member_of<'a>(set: &'a PolicySet, name: &str) -> Option<(&'a AnyPolicy, Member)> {
    let policy = set.members().iter().find(|policy| policy.name() == name)?;
    Some((policy, Member::of(policy)))
}
