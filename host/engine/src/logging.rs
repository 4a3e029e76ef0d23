//! The only thing a policy may ask of the host: to write a log line.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmStr};

use crate::bindings::logging::Level;
use crate::guest_state::GuestState;

/// Tells on whose behalf this thread works right now, such as the id of a request.
pub type LogContext = fn() -> Option<String>;

/// Who writes.
#[derive(Clone)]
pub(crate) struct Origin {
    policy: Arc<str>,
    revision: Arc<str>,
    context: LogContext,
}

impl Origin {
    pub fn new(policy: &str, revision: &str, context: LogContext) -> Self {
        Self { policy: policy.into(), revision: revision.into(), context }
    }
}

/// What one call may still write.
pub(crate) struct LogBudget {
    origin: Origin,
    bytes_per_call: usize,
    bytes_left: usize,
}

impl LogBudget {
    pub fn new(origin: Origin, bytes_per_call: u64) -> Self {
        let bytes_per_call = usize::try_from(bytes_per_call).unwrap_or(usize::MAX);
        Self { origin, bytes_per_call, bytes_left: bytes_per_call }
    }

    pub fn renew(&mut self) {
        self.bytes_left = self.bytes_per_call;
    }

    /// As much of `message` as may still be written.
    fn cut<'a>(&mut self, message: &'a str) -> &'a str {
        let mut end = message.len().min(self.bytes_left);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        self.bytes_left -= end;
        &message[..end]
    }
}

pub(crate) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    linker.instance("tollgate:policy/logging@0.1.0")?.func_wrap("log", log)
}

/// What a line costs the policy that writes it. The host's work has to be paid for like the
/// guest's own, or a loop that only logs would run into its deadline instead of its limit.
const FUEL_PER_LINE: u64 = 1_000;

/// Takes the message where it lies in the guest's memory: a policy whose budget is spent costs
/// the host nothing more, whatever it goes on to say.
fn log(
    mut store: StoreContextMut<'_, GuestState>,
    (level, message): (Level, WasmStr),
) -> wasmtime::Result<()> {
    let fuel = store.get_fuel()?;
    store.set_fuel(fuel.saturating_sub(FUEL_PER_LINE))?;
    if store.data().log.bytes_left == 0 {
        return Ok(());
    }
    let message = message.to_str(&store)?.into_owned();
    let budget = &mut store.data_mut().log;
    let message = budget.cut(&message);
    let Origin { policy, revision, context } = &budget.origin;
    let (policy, revision) = (&**policy, &**revision);
    let request = context();
    let request = request.as_deref();
    match level {
        Level::Error => {
            tracing::error!(target: "tollgate::policy", policy, revision, request, "{message}");
        }
        Level::Warn => {
            tracing::warn!(target: "tollgate::policy", policy, revision, request, "{message}");
        }
        Level::Info => {
            tracing::info!(target: "tollgate::policy", policy, revision, request, "{message}");
        }
        Level::Debug => {
            tracing::debug!(target: "tollgate::policy", policy, revision, request, "{message}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_than_a_calls_budget_is_cut_between_characters() {
        let mut budget = LogBudget::new(Origin::new("a", "1", || None), 6);
        assert_eq!(budget.cut("ab"), "ab");
        assert_eq!(budget.cut("cdeé"), "cde");
        assert_eq!(budget.cut("fg"), "f");
        assert_eq!(budget.cut("h"), "");
        budget.renew();
        assert_eq!(budget.cut("h"), "h");
    }
}
