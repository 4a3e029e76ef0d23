//! What can be set from outside.

use std::path::PathBuf;

use crate::compiler::Compiling;
use crate::logging::LogContext;

/// Where policies are, and how much of the machine they may take together.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of manifests and plugins.
    pub folder: PathBuf,
    /// The most instances that may exist at once, of all policies together; room for several
    /// times what each may keep idle.
    pub instances_max: u32,
    /// The most memory a manifest may ask for. Each possible instance reserves as much address
    /// space, which is not memory until it is used.
    pub memory_mib_max: u64,
    /// How many idle instances a policy keeps; as many as threads call at the same time is enough.
    pub idle_per_policy_max: usize,
    /// After how many calls an instance is replaced by a fresh one, so that a leak in a guest
    /// stays small.
    pub calls_per_instance_max: u64,
    /// What policies' log lines are tagged with besides their names.
    pub log_context: LogContext,
    /// How to compile plugins in a process of its own; `None` compiles in this one.
    pub compiling: Option<Compiling>,
}

impl Options {
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            instances_max: 256,
            memory_mib_max: 256,
            idle_per_policy_max: 32,
            calls_per_instance_max: 100_000,
            log_context: || None,
            compiling: None,
        }
    }

    pub(crate) fn memory_bytes_max(&self) -> u64 {
        self.memory_mib_max.saturating_mul(1 << 20)
    }
}
