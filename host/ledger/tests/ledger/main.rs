//! What the ledger promises, on every store it can stand on.
//!
//! - `contract`: what a store must do, seen through the ledger
//! - `exactness`: no two callers share the last unit
//! - `model`: random histories, audited by a naive model
//! - `recovery`: what is acknowledged survives a restart
//! - `sliding`: what is used counts for so many seconds, and no grant passes a limit in any of them
//! - `verify`: what is stored wrongly is named

#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

mod contract;
mod exactness;
mod model;
mod recovery;
mod sliding;
mod support;
mod verify;
