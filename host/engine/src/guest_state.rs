//! What the host keeps beside each instance.

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::limits::{Limits, MemoryLimiter};
use crate::logging::{LogBudget, Origin};
use crate::wasi;

/// The data of an instance's store.
pub(crate) struct GuestState {
    pub memory: MemoryLimiter,
    pub log: LogBudget,
    wasi: WasiCtx,
    pub resources: ResourceTable,
}

impl GuestState {
    /// `origin` is what log lines are tagged with.
    pub fn new(limits: &Limits, origin: Origin) -> Self {
        Self {
            memory: MemoryLimiter::new(limits),
            log: LogBudget::new(origin, limits.log_bytes_per_call),
            wasi: wasi::nothing_granted(),
            resources: ResourceTable::new(),
        }
    }
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.resources }
    }
}
