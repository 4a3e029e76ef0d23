//! What can go wrong in a call into a policy, and whose fault it is.

use wasmtime::{PoolConcurrencyLimitError, Trap};

use crate::bad_output::BadOutput;

/// Why a call into a policy gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("used up its fuel")]
    OutOfFuel,
    #[error("ran past its deadline")]
    Deadline,
    #[error("asked for more memory than its limit")]
    Memory,
    #[error("trapped: {0}")]
    Trap(String),
    #[error("gave an answer that cannot be used: {0}")]
    BadOutput(#[from] BadOutput),
    /// Found out after the call, by asking again.
    #[error("gave different answers to the same question")]
    Impure,
    /// The host's fault, not the policy's.
    #[error("could not be called: {0}")]
    Unavailable(String),
}

impl Fault {
    /// The names that faults are counted under.
    pub const KINDS: [&str; 7] =
        ["out_of_fuel", "deadline", "memory", "trap", "bad_output", "unavailable", "impure"];

    /// Classifies what wasmtime reports by its type. `memory_denied` says whether the guest had
    /// asked for more memory than it may have: most guests answer that with a trap of their own.
    pub fn classify(error: &wasmtime::Error, memory_denied: bool) -> Self {
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => Self::OutOfFuel,
            Some(Trap::Interrupt) => Self::Deadline,
            _ if memory_denied => Self::Memory,
            Some(trap) => Self::Trap(trap.to_string()),
            None if error.is::<PoolConcurrencyLimitError>() => {
                Self::Unavailable("every instance that the host has room for is in use".into())
            }
            None if error.is::<wasmtime_wasi::I32Exit>() => Self::Trap("it exited".into()),
            // What remains is something handed to the host that it could not read out of the
            // guest's memory: invalid UTF-8, an unknown case, more bytes than a result may have.
            None => Self::BadOutput(BadOutput::new("result", format!("{error:#}"))),
        }
    }

    /// The place of this kind of fault in [`Fault::KINDS`].
    pub fn kind_index(&self) -> usize {
        match self {
            Self::OutOfFuel => 0,
            Self::Deadline => 1,
            Self::Memory => 2,
            Self::Trap(_) => 3,
            Self::BadOutput(_) => 4,
            Self::Unavailable(_) => 5,
            Self::Impure => 6,
        }
    }

    pub fn kind(&self) -> &'static str {
        Self::KINDS[self.kind_index()]
    }
}
