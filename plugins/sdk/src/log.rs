//! Writing to the service's log, under the policy's name.
//!
//! A call may write 4 KiB in all. Outside of wasm, in tests, lines go to standard error.

use std::sync::Once;

pub use crate::bindings::common::tollgate::policy::logging::Level;

/// Writes a line. [`error!`](crate::error!), [`warn!`](crate::warn!), [`info!`](crate::info!)
/// and [`debug!`](crate::debug!) format and call it.
pub fn write(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::common::tollgate::policy::logging::log(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{level:?}: {message}");
}

/// A panic becomes a trap, of which the host learns nothing but that it happened; the log keeps
/// where and why.
pub(crate) fn log_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| write(Level::Error, &panic.to_string())));
    });
}

/// Logs that something is broken.
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Error, &::std::format!($($message)+)) };
}

/// Logs that something may be broken.
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Warn, &::std::format!($($message)+)) };
}

/// Logs what is worth knowing.
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Info, &::std::format!($($message)+)) };
}

/// Logs what helps to find a fault.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Debug, &::std::format!($($message)+)) };
}
