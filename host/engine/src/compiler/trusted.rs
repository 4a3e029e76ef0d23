//! The one place where bytes are run because somebody vouches for them.

use wasmtime::Engine;
use wasmtime::component::Component;

/// Machine code that comes from a compiler of ours: fresh from the process that was started for
/// it, or from the cache, which has checked that it is what that process wrote.
pub(super) struct MachineCode(Vec<u8>);

impl MachineCode {
    /// Whoever calls this vouches for the bytes.
    pub fn vouched_for(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Makes it ready to run; an error where it was made for another engine.
    #[expect(unsafe_code, reason = "wasmtime cannot check machine code: see `MachineCode`")]
    pub fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: the bytes are what `Engine::precompile_component` gave, unchanged.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}
