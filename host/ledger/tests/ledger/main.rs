//! What the ledger promises, on every store it can stand on.
//!
//! - `alerts`: numbered for ever, listed by level, and read once
//! - `backup`: what is restored is what was backed up
//! - `billing`: periods close by the clock, once
//! - `contract`: what a store must do, seen through the ledger
//! - `corrections`: facts about facts
//! - `damage`: what changes on the disk is noticed
//! - `days`: what was used on a day of any calendar, however much
//! - `exactness`: no two callers share the last unit
//! - `logs`: events one by one, the newest first
//! - `model`: random histories, audited by a naive model
//! - `months`: a past month costs one row to read
//! - `names`: callers' names of events, however many
//! - `outbox`: every alert is on its way until it has arrived, or nobody tries any more
//! - `recovery`: what is acknowledged survives a restart
//! - `reservations`: where they lie on the disk, however many
//! - `refusals`: facts as well, for a while
//! - `sliding`: what is used counts for so many seconds, and no grant passes a limit in any of them
//! - `verify`: what is stored wrongly is named

#![allow(clippy::unwrap_used, reason = "a failed test is a panic")]

#[macro_use]
mod stores;

mod alerts;
mod backup;
mod billing;
mod contract;
mod corrections;
mod damage;
mod days;
mod exactness;
mod logs;
mod model;
mod months;
mod names;
mod outbox;
mod recovery;
mod refusals;
mod reservations;
mod sliding;
mod subscriptions;
mod support;
mod verify;
