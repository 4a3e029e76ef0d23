//! Runs policies: WebAssembly components that decide what a plan allows, what a call costs and
//! when somebody is warned. The only crate that knows wasmtime.
//!
//! [`Policies`] looks at a folder of manifests and plugins and keeps the [`PolicySet`] that is
//! active. A policy is a pure function of its input and its configuration; whatever it does, it
//! can hurt nobody but itself: its time, memory, log and answers are bounded, what it says is
//! checked, and what goes wrong is a typed fault that is counted under its name.
//!
//! From a file to an answer: `folder` → `workshop` → `candidate` → `assembly` → `set` → `judge`,
//! `alerter`, and in the set itself what concerns prices.

mod alerter;
mod assembly;
mod bad_output;
mod bindings;
mod candidate;
mod component;
mod decimal;
mod digest;
mod fault;
mod folder;
mod guest_state;
mod instance;
mod judge;
mod kinds;
mod limits;
mod logging;
mod manifest;
mod notes;
mod options;
mod plugin;
mod policies;
mod policy;
mod refusal;
mod runtime;
mod set;
mod stats;
mod status;
mod wasi;
mod watch;
mod workbench;
mod workshop;

use std::sync::Arc;

use tollgate_domain::Timestamp;

pub use alerter::Alerter;
pub use component::{ComponentError, component_from_module};
pub use judge::Judge;
pub use kinds::{Kind, Recommendation, Rejected};
pub use options::Options;
pub use policies::{OpenError, Policies};
pub use set::PolicySet;
pub use status::{PolicyInfo, PolicyStatus, Rejection};
pub use watch::{FolderWatch, WatchError};
pub use workbench::{
    Failed, Inspection, LimitsInForce, Measured, NotTaken, Question, Reply, Trial, Workbench,
};

/// What time it is. The engine has no clock of its own.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;
