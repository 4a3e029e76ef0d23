//! The process that compiles, as it sees itself.

use std::io::{self, BufRead, Write};

use rustix::process::{Resource, Rlimit, nice, setrlimit};
use serde::{Deserialize, Serialize};
use wasmtime::Engine;

use crate::options::Options;
use crate::runtime;

/// The exit code with which it says that the component cannot be compiled, and why.
pub(super) const REFUSED: i32 = 3;

/// Calls come first, and a replaced plugin does not wait for ever on a machine that is busy.
const NICE: i32 = 5;

/// What it is to do; the component follows.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    pub plugin_memory_mib_max: u64,
    pub seconds_max: u64,
    pub memory_mib_max: u64,
    /// Whether everybody else comes first.
    pub nice: bool,
}

impl Order {
    pub fn line(&self) -> Result<String, serde_json::Error> {
        Ok(format!("{}\n", serde_json::to_string(self)?))
    }
}

/// Why nothing was compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    #[error("cannot be compiled: {0}")]
    Refused(String),
    #[error("cannot set limits: {0}")]
    Limits(io::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl CompileError {
    /// What the process should end with, for its parent to know.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Refused(_) => REFUSED,
            Self::Limits(_) | Self::Io(_) => 1,
        }
    }
}

/// Compiles what a service asks for on `input` and writes machine code to `output`. The process
/// first takes limits upon itself that it never gets rid of again.
pub fn compile_as_child(
    mut input: impl BufRead,
    mut output: impl Write,
) -> Result<(), CompileError> {
    let mut order = String::new();
    input.read_line(&mut order)?;
    let order: Order = serde_json::from_str(&order).map_err(io::Error::other)?;
    limit(&order).map_err(|error| CompileError::Limits(error.into()))?;
    let mut component = Vec::new();
    input.read_to_end(&mut component)?;
    let options = Options { memory_mib_max: order.plugin_memory_mib_max, ..Options::new("") };
    let refused = |error| CompileError::Refused(format!("{error:#}"));
    let mut config = runtime::compiling_config(&options);
    // Beside a service that decides calls, one core is enough: on each core at work, a call now and
    // then waits for its turn.
    config.parallel_compilation(!order.nice);
    let engine = Engine::new(&config).map_err(refused)?;
    let code = engine.precompile_component(&component).map_err(refused)?;
    output.write_all(&code)?;
    Ok(output.flush()?)
}

fn limit(order: &Order) -> rustix::io::Result<()> {
    if order.nice {
        // Somebody who is nice already may not be made nicer; it is a courtesy either way.
        let _ = nice(NICE);
    }
    let bytes = order.memory_mib_max.saturating_mul(1 << 20);
    for (resource, most) in [
        (Resource::As, bytes),
        (Resource::Cpu, order.seconds_max),
        // It leaves nothing behind: no core, no file.
        (Resource::Core, 0),
        (Resource::Fsize, 0),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most.saturating_add(1)) })?;
    }
    Ok(())
}
