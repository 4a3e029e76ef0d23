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
mod archive;
mod assembly;
mod bad_output;
mod beside;
mod bindings;
mod candidate;
mod comparison;
mod compiler;
mod component;
mod crowd;
mod decimal;
mod digest;
mod document;
mod fault;
mod folder;
mod guest_state;
mod history;
mod instance;
mod judge;
mod kinds;
mod limits;
mod logging;
mod manifest;
mod metrics;
mod notes;
mod options;
mod orders;
mod overseer;
mod plugin;
mod policies;
mod policy;
mod question;
mod reckoner;
mod refusal;
mod runtime;
mod set;
mod source;
mod stats;
mod status;
mod wasi;
mod watch;
mod workbench;
mod workshop;

use std::sync::Arc;

use tollgate_domain::Timestamp;

pub use alerter::Alerter;
pub use archive::{Archive, ArchiveError, MemoryArchive};
pub use comparison::{Example, ShadowInfo};
pub use compiler::{CompileError, Compiling, compile_as_child};
pub use component::{ComponentError, component_from_module};
pub use document::Document;
pub use history::Cause;
pub use judge::Judge;
pub use kinds::{
    Alternative, Average, Candidate, Kind, ModelName, ModelUse, MonthOfUse, Offer, OfferedQuota,
    Outlook, Payer, Recommendation, Rejected,
};
pub use logging::LogContext;
pub use metrics::{EngineMetrics, PolicyMetrics};
pub use options::Options;
pub use overseer::KeptInput;
pub use policies::{LayError, OpenError, Policies, RollbackError};
pub use question::{Answer, Question};
pub use refusal::ConfigProblem;
pub use set::PolicySet;
pub use status::{PolicyInfo, PolicyStatus, Rejection, RevisionInfo, RevisionMember, SparePlugin};
pub use watch::{FolderWatch, WatchError};
pub use workbench::{
    Draft, Failed, Inspection, LimitsInForce, Measured, NotTaken, Trial, Workbench,
};

/// What time it is. The engine has no clock of its own.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;
