//! What the ledger promises, on every store it can stand on.
//!
//! - `backup`: what is restored is what was backed up
//! - `contract`: what a store must do, seen through the ledger
//! - `exactness`: no two callers share the last unit
//! - `model`: random histories, audited by a naive model
//! - `recovery`: what is acknowledged survives a restart
//! - `verify`: what is stored wrongly is named

#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

mod backup;
mod contract;
mod exactness;
mod model;
mod recovery;
mod support;
mod verify;
