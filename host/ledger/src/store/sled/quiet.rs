//! sled asserts what it expects of its files, and panics where they are damaged: that is told as
//! any other damage is.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::store::StoreError;

thread_local! {
    /// What panicked while somebody was listening.
    static HEARD: RefCell<Option<String>> = const { RefCell::new(None) };
    static LISTENING: RefCell<bool> = const { RefCell::new(false) };
}

/// Does something with sled that may panic, and returns that as an error.
pub fn or_damaged<T>(act: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| match LISTENING.with(|on| *on.borrow()) {
            true => HEARD.with(|heard| *heard.borrow_mut() = Some(panic.to_string())),
            false => others(panic),
        }));
    });
    let before = LISTENING.with(|on| on.replace(true));
    // Whatever is half done is dropped with the store, which nobody gets to see.
    let outcome = panic::catch_unwind(AssertUnwindSafe(act));
    LISTENING.with(|on| on.replace(before));
    outcome.unwrap_or_else(|_| {
        let heard = HEARD.with(|heard| heard.borrow_mut().take()).unwrap_or_default();
        let heard = heard.split_whitespace().collect::<Vec<_>>().join(" ");
        Err(StoreError(format!("the data are damaged: {heard}")))
    })
}
