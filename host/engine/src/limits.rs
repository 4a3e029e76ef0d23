//! What a policy may use.

use wasmtime::ResourceLimiter;

/// The most a policy may use, from its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// For everything that is asked once per instance: start, configuration, price list.
    pub fuel_configure: u64,
    pub fuel_per_call: u64,
    /// Of all linear memories of an instance together.
    pub memory_mib: u64,
    /// A back-stop for what fuel does not see; well above scheduling noise, so that no honest
    /// policy is cut off because the machine was busy.
    pub deadline_ms: u64,
    pub component_mib: u64,
    pub log_bytes_per_call: u64,
    /// Of what one call hands to the host, roughly in bytes.
    pub result_kib: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel_configure: 2_000_000_000,
            fuel_per_call: 10_000_000,
            memory_mib: 16,
            deadline_ms: 250,
            component_mib: 32,
            log_bytes_per_call: 4096,
            result_kib: 256,
        }
    }
}

impl Limits {
    pub fn memory_bytes(&self) -> u64 {
        self.memory_mib.saturating_mul(1 << 20)
    }

    pub fn component_bytes(&self) -> u64 {
        self.component_mib.saturating_mul(1 << 20)
    }

    pub fn result_bytes(&self) -> u64 {
        self.result_kib.saturating_mul(1 << 10)
    }
}

/// On top of `fuel_per_call`, so that a policy may read all that it is given.
pub(crate) const FUEL_PER_INPUT_BYTE: u64 = 50;

/// A pointer-sized element each; wasmtime's pool reserves as much for every table.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 20_000;

/// Holds an instance to its memory, and remembers when it wanted more.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    bytes_max: usize,
    bytes: usize,
    /// Whether growth was denied since this was last cleared.
    pub denied: bool,
}

impl MemoryLimiter {
    pub fn new(limits: &Limits) -> Self {
        let bytes_max = usize::try_from(limits.memory_bytes()).unwrap_or(usize::MAX);
        Self { bytes_max, bytes: 0, denied: false }
    }

    /// What the instance has now.
    pub fn bytes(&self) -> u64 {
        self.bytes as u64
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes = self.bytes.saturating_add(desired.saturating_sub(current));
        if bytes > self.bytes_max {
            self.denied = true;
            return Ok(false);
        }
        self.bytes = bytes;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}
