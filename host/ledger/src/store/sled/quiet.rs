//! sled asserts what it expects of its files, and panics where they are damaged: that is told as
//! any other damage is.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use crate::store::StoreError;

thread_local! {
    static LISTENING: Cell<bool> = const { Cell::new(false) };
    /// What panicked while somebody was listening.
    static HEARD: RefCell<Option<StoreError>> = const { RefCell::new(None) };
}

/// What a panic within sled says of the data; `None` if the panic is anybody else's.
pub fn damage(panic: &PanicHookInfo<'_>) -> Option<StoreError> {
    let within_sled = panic.location().is_some_and(|place| place.file().contains("/sled-"));
    let text = panic.payload_as_str().unwrap_or("no reason given");
    let first_line = text.lines().next().unwrap_or_default();
    within_sled
        .then(|| StoreError(format!("sled cannot use the data, they are damaged: {first_line}")))
}

/// Does something with sled that may panic, and returns that as an error.
pub fn or_damaged<T>(act: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| match damage(panic) {
            Some(damage) if LISTENING.get() => HEARD.set(Some(damage)),
            _ => others(panic),
        }));
    });
    let before = LISTENING.replace(true);
    // Whatever is half done is dropped with the store, which nobody gets to see.
    let outcome = panic::catch_unwind(AssertUnwindSafe(act));
    LISTENING.set(before);
    outcome.unwrap_or_else(|panic| match HEARD.take() {
        Some(damage) => Err(damage),
        None => panic::resume_unwind(panic),
    })
}
