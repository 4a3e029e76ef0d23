//! wasmtime, set up for policies.

use std::thread;
use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{Config, Engine, OptLevel, PoolingAllocationConfig};

use crate::compiler::Compiler;
use crate::guest_state::GuestState;
use crate::limits::TABLE_ELEMENTS_MAX;
use crate::options::Options;
use crate::{OpenError, logging, wasi};

/// How often the epoch moves on: the grain of a deadline.
const TICK: Duration = Duration::from_millis(10);

/// Compiles and links policies. One for the process.
pub(crate) struct Runtime {
    pub engine: Engine,
    pub linker: Linker<GuestState>,
    pub compiler: Compiler,
}

impl Runtime {
    pub fn new(options: &Options) -> Result<Self, OpenError> {
        let engine = Engine::new(&config(options)).map_err(OpenError::wasmtime)?;
        let mut linker = Linker::new(&engine);
        logging::add_to_linker(&mut linker).map_err(OpenError::wasmtime)?;
        wasi::add_to_linker(&mut linker).map_err(OpenError::wasmtime)?;
        start_ticker(&engine).map_err(OpenError::Thread)?;
        let compiler = Compiler::new(options.compiling.clone(), options.memory_mib_max, &engine);
        Ok(Self { engine, linker, compiler })
    }
}

/// The deadline of a call, in epochs. One more, since the current one may be about to end.
pub(crate) fn deadline_epochs(deadline: Duration) -> u64 {
    u64::try_from(deadline.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u64::MAX - 1) + 1
}

pub(crate) fn config(options: &Options) -> Config {
    let mut config = compiling_config(options);
    config.allocation_strategy(pool(options));
    config
}

/// All of it that code is compiled for.
pub(crate) fn compiling_config(options: &Options) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // The limit that decides: the same on a busy machine, and when a call is run again.
        .consume_fuel(true)
        // The back-stop for what fuel does not see.
        .epoch_interruption(true)
        // Nobody reads a policy's backtrace; capturing one makes every trap dearer.
        .wasm_backtrace_max_frames(None)
        // NaN bits and relaxed SIMD differ between processors, and so would a policy's answers.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        // Go's guests validate only where the collector's types are known; no guest needs the
        // collector itself, and it would be one more thing to bound.
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        // A policy runs millions of times for each time it is compiled.
        .cranelift_opt_level(OptLevel::Speed)
        // Half the wait for a start that has everything to compile.
        .parallel_compilation(true)
        // As much address space as the largest policy may have memory, not the usual 4 GiB a
        // memory, which containers with a limit on address space refuse. It costs a bounds
        // check for each access.
        .memory_reservation(options.memory_bytes_max())
        .memory_guard_size(64 << 10);
    config
}

/// Everything an instance needs is set aside at the start: making one takes microseconds, and
/// what does not fit is refused and not paid for by the rest of the process.
fn pool(options: &Options) -> PoolingAllocationConfig {
    // A component of another language brings a few core modules (Python's has 38, of which a
    // handful have memories and tables of their own).
    const CORE_INSTANCES_PER_INSTANCE: u32 = 4;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(options.instances_max)
        .total_core_instances(options.instances_max * CORE_INSTANCES_PER_INSTANCE)
        .total_memories(options.instances_max)
        .total_tables(options.instances_max * 2)
        // No guest call suspends, so no stack but the caller's own is used.
        .total_stacks(1)
        .total_gc_heaps(1)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_tables_per_module(4)
        .max_memory_size(options.memory_bytes_max() as usize)
        // Making an instance touches this much again anyway: zeroing it beats giving it back.
        .linear_memory_keep_resident(128 << 10)
        .table_keep_resident(8 << 10);
    pool
}

/// The thread that moves the epoch on, for as long as the engine lives.
fn start_ticker(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    };
    thread::Builder::new().name("policy-epoch".into()).spawn(tick).map(drop)
}
