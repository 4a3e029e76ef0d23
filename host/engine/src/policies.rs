//! The folder of policies, the set that is active, and the change from one to the next.

mod activation;
mod documents;
mod rollback;

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;

use crate::archive::{Archive, ArchiveError, MemoryArchive};
use crate::candidate::AnyPolicy;
use crate::history::{History, Member};
use crate::options::Options;
use crate::orders::Orders;
use crate::refusal::Refused;
use crate::runtime::Runtime;
use crate::set::PolicySet;
use crate::status::{PolicyStatus, Rejection, RevisionInfo};
use crate::workshop::Workshop;
use crate::{Now, notes};

pub use documents::LayError;
pub use rollback::RollbackError;

/// The folder of policies and the set of them that is active.
pub struct Policies {
    pub(crate) options: Options,
    now: Now,
    runtime: Runtime,
    history: History,
    current: ArcSwapOption<PolicySet>,
    rejected: ArcSwap<Vec<Rejection>>,
    /// Whoever changes what is active holds this: two changes at once would undo each other.
    desk: Mutex<Desk>,
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
    #[error("cannot start the thread that keeps deadlines")]
    Thread(#[source] std::io::Error),
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
        let policies = Self {
            runtime: Runtime::new(&options)?,
            options,
            now,
            history: History::in_archive(archive),
            current: ArcSwapOption::empty(),
            rejected: ArcSwap::default(),
            desk: Mutex::default(),
        };
        policies.go_on();
        policies.reload();
        Ok(Arc::new(policies))
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
        }
    }

    /// How many plugins were compiled since the start, and not merely remembered.
    pub fn compiled(&self) -> u64 {
        self.runtime.compiler.compiled()
    }

    /// What was active when, the newest first; at most so many steps. May block.
    pub fn revisions(&self, steps_max: usize) -> Result<Vec<RevisionInfo>, ArchiveError> {
        let current = self.current();
        let mut revisions: Vec<RevisionInfo> = Vec::new();
        for step in self.history.steps()?.take(steps_max) {
            let step = step?;
            let members = self.history.record(&step.revision)?.map_or(vec![], |r| r.members);
            let is_current = current.as_ref().is_some_and(|set| set.revision() == step.revision);
            let active = revisions.is_empty() && is_current;
            revisions.push(RevisionInfo::new(step, &members, active));
        }
        Ok(revisions)
    }

    /// Keeps the refusals for the status, writes a note beside each, and logs those that are new.
    fn report(&self, refused: Vec<(String, Refused)>) {
        let known = self.rejected.load();
        let reported = refused.into_iter().map(|(name, Refused { step, reason, .. })| {
            let step = step.as_str();
            let same =
                |old: &&Rejection| (&old.name, old.step, &old.reason) == (&name, step, &reason);
            if let Some(old) = known.iter().find(same) {
                return old.clone();
            }
            tracing::warn!(policy = name, step, "a policy was refused: {reason}");
            Rejection { name, step, reason, seen_at: (self.now)() }
        });
        let reported: Vec<_> = reported.collect();
        // Whoever reads the status finds the notes in place.
        notes::update(&self.options.folder, &reported);
        self.rejected.store(Arc::new(reported));
    }
}

/// A member of the active set by its name.
fn member_of<'a>(set: &'a PolicySet, name: &str) -> Option<(&'a AnyPolicy, Member)> {
    let policy = set.members().iter().find(|policy| policy.name() == name)?;
    Some((policy, Member::of(policy)))
}
