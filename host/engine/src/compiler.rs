//! From a component to machine code.
//!
//! Compilation cannot be called off, takes every core it gets, and its input is whatever somebody
//! dropped into a folder. So it runs in a process of its own, with bounds on its time and memory;
//! and what came out is kept, so that a start compiles nothing that it knows.

mod apart;
mod cache;
mod child;
mod trusted;

use std::ffi::OsString;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::digest::Digest;
use crate::refusal::{Refused, Step};
use cache::Cache;
use child::Order;
pub use child::{CompileError, compile_as_child};

/// How to compile in a process of its own.
#[derive(Clone, Debug)]
pub struct Compiling {
    /// A program that does [`compile_as_child`], and what to start it with.
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// Where machine code is kept: nobody else may have access to it. `None` keeps none.
    pub folder: Option<PathBuf>,
    /// How much processor time one component may take, on all cores together.
    pub seconds_max: u64,
    /// How long it may take until it has had that: a machine that is busy gives less of it, and a
    /// process that waits for something must end as well.
    pub patience: Duration,
    pub memory_mib_max: u64,
}

/// Compiles, or remembers that it did.
pub(crate) struct Compiler {
    apart: Option<(Compiling, Option<Cache>)>,
    /// What the child's own engine is made with.
    plugin_memory_mib_max: u64,
    compiled: AtomicU64,
    /// Whether calls are decided, which come first.
    nice: AtomicBool,
}

impl Compiler {
    /// `None` compiles in this process and keeps nothing: for tests and tools.
    pub fn new(apart: Option<Compiling>, plugin_memory_mib_max: u64, engine: &Engine) -> Self {
        let with_cache = |compiling: Compiling| {
            let cache = compiling.folder.as_ref().and_then(|folder| {
                let cache = Cache::open(folder, engine_digest(engine));
                let warn = |error: &io::Error| {
                    let folder = folder.display();
                    tracing::warn!(%error, %folder, "compiled code is not kept");
                };
                cache.inspect_err(warn).ok()
            });
            (compiling, cache)
        };
        Self {
            apart: apart.map(with_cache),
            plugin_memory_mib_max,
            compiled: AtomicU64::new(0),
            nice: AtomicBool::new(false),
        }
    }

    /// From now on others come first.
    pub fn be_nice(&self) {
        self.nice.store(true, Relaxed);
    }

    /// How many components were really compiled.
    pub fn compiled(&self) -> u64 {
        self.compiled.load(Relaxed)
    }

    pub fn component(
        &self,
        engine: &Engine,
        bytes: &[u8],
        digest: Digest,
    ) -> Result<Component, Refused> {
        let Some((compiling, cache)) = &self.apart else {
            self.compiled.fetch_add(1, Relaxed);
            return Component::new(engine, bytes)
                .map_err(|error| Refused::new(Step::Compiled, format_args!("{error:#}")));
        };
        if let Some(code) = cache.as_ref().and_then(|cache| cache.find(digest)) {
            match code.load(engine) {
                Ok(component) => return Ok(component),
                Err(error) => tracing::warn!(%digest, "kept code cannot be used: {error:#}"),
            }
        }
        let begun = Instant::now();
        let order = Order {
            plugin_memory_mib_max: self.plugin_memory_mib_max,
            seconds_max: compiling.seconds_max,
            memory_mib_max: compiling.memory_mib_max,
            nice: self.nice.load(Relaxed),
        };
        let code = apart::compile(compiling, &order, bytes)?;
        let component = code
            .load(engine)
            .map_err(|error| Refused::new(Step::Compiled, format_args!("{error:#}")))?;
        self.compiled.fetch_add(1, Relaxed);
        let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(%digest, elapsed_ms, "compiled a plugin");
        if let Some(Err(error)) = cache.as_ref().map(|cache| cache.keep(digest, &code)) {
            tracing::warn!(%digest, %error, "compiled code cannot be kept");
        }
        Ok(component)
    }
}

/// What machine code must have been made for to be run by this engine: its version, its settings
/// and this processor.
fn engine_digest(engine: &Engine) -> Digest {
    let mut hasher = Feed(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    Digest::from_bytes(hasher.0.finalize().into())
}

/// Takes in all that is hashed; the short hash itself is not asked for.
struct Feed(Sha256);

impl Hasher for Feed {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use crate::runtime;

    #[test]
    fn what_the_child_makes_is_for_the_engine_of_the_service() {
        let service = Engine::new(&runtime::config(&Options::new("."))).unwrap();
        let child = Engine::new(&runtime::compiling_config(&Options::new("."))).unwrap();
        assert_eq!(engine_digest(&service), engine_digest(&child));
        let other = Options { memory_mib_max: 64, ..Options::new(".") };
        let other = Engine::new(&runtime::compiling_config(&other)).unwrap();
        assert_ne!(engine_digest(&service), engine_digest(&other));
    }
}
