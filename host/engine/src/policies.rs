//! The folder of policies, the set that is active, and the change from one to the next.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;

use crate::assembly::{Assembly, WHOLE_SET, assemble};
use crate::candidate::AnyPolicy;
use crate::options::Options;
use crate::refusal::{Refused, Step};
use crate::runtime::Runtime;
use crate::set::{PolicySet, plan_book, revision};
use crate::status::{PolicyStatus, Rejection};
use crate::workshop::Workshop;
use crate::{Now, folder, notes};

/// The folder of policies and the set of them that is active.
pub struct Policies {
    pub(crate) options: Options,
    now: Now,
    runtime: Runtime,
    current: ArcSwapOption<PolicySet>,
    rejected: ArcSwap<Vec<Rejection>>,
    /// Whoever looks at the folder holds this: two looks at once would undo each other.
    workshop: Mutex<Workshop>,
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
    /// Sets up the engine and looks at the folder once. A folder that is missing or broken is no
    /// error: there is no current set then, and the status says why.
    pub fn open(options: Options, now: Now) -> Result<Arc<Self>, OpenError> {
        let policies = Self {
            runtime: Runtime::new(&options)?,
            options,
            now,
            current: ArcSwapOption::empty(),
            rejected: ArcSwap::default(),
            workshop: Mutex::default(),
        };
        policies.reload();
        Ok(Arc::new(policies))
    }

    /// The active set; `None` until a complete one was found. Waits for nobody.
    pub fn current(&self) -> Option<Arc<PolicySet>> {
        self.current.load_full()
    }

    /// Looks at the folder now; says whether another set is active afterwards. What cannot be
    /// taken is refused by name and explained in the log, the status and a note beside it.
    pub fn reload(&self) -> bool {
        let mut workshop = self.workshop.lock();
        let current = self.current();
        let active = current.as_ref().map_or(&[][..], |set| set.members());
        let sources = match folder::scan(&self.options.folder) {
            Ok(sources) => sources,
            Err(error) => {
                let why = format!("cannot read the folder of policies: {error}");
                self.report(vec![(WHOLE_SET.to_owned(), Refused::new(Step::Verified, why))]);
                return false;
            }
        };
        let candidates = workshop.candidates(sources, active, &self.runtime, &self.options);
        let Assembly { members, refused } = assemble(candidates, active);
        self.report(refused);
        let Some((members, plans)) = members else { return false };
        if current.is_some_and(|set| set.revision() == revision(&members)) {
            return false;
        }
        let set = PolicySet::new(members, plans, (self.now)());
        let names: Vec<_> = set.members().iter().map(AnyPolicy::name).collect();
        tracing::info!(revision = set.revision(), policies = ?names, "a new set of policies is active");
        self.current.store(Some(Arc::new(set)));
        true
    }

    /// What the active set would be with another manifest under a name: tried like one in the
    /// folder, and not active. The error says why it could not be.
    pub fn with_manifest(&self, name: &str, text: String) -> Result<PolicySet, String> {
        let active = self.current().ok_or("there is no set of policies to change")?;
        let files = folder::files(&self.options.folder, name, text).map_err(|it| it.to_string())?;
        let source = folder::Source { name: name.to_owned(), files: Ok(files) };
        let mut tried = Workshop::default().candidates(
            vec![source],
            active.members(),
            &self.runtime,
            &self.options,
        );
        let policy = tried.remove(name).ok_or("there is no such manifest")?;
        let policy = policy.map_err(|refused| refused.to_string())?;
        let mut members: Vec<_> =
            active.members().iter().filter(|it| it.name() != name).cloned().collect();
        let at = members.partition_point(|it| it.name() < name);
        members.insert(at, policy);
        let plans = plan_book(&members).map_err(|(_, error)| error.to_string())?;
        Ok(PolicySet::new(members, plans, (self.now)()))
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
