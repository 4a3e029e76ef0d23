//! Black-box tests: the real program over its command line, its files and HTTP, as its users meet
//! it. Whatever one crate can prove by itself is tested in that crate.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]

/// `tollgate backup` and `tollgate restore`: the same ledger again, or none.
mod backup;
/// Billing periods close by the clock, and what comes late changes no closed one.
mod billing;
/// What depends on the date: a service that is started again at another time.
mod calendar;
/// What the command line prints, takes and refuses.
mod cli;
/// Callers that ask at the same time share exactly what there is.
mod concurrency;
/// The HTTP contract, clause by clause: one file for each group of endpoints or rules.
mod contract;
/// What was acknowledged outlives the process, however it ends.
mod durability;
/// The error log: what an operator needs, and nothing that was sent.
mod error_log;
/// `GET /v1/export` and `tollgate export`: each event once, in either format.
mod export;
/// A recorded hour of real calls, from `tollgate load` to the last digit of every bill.
mod first_light;
/// `tollgate load` when things do not go as planned; `first_light` has it at its best.
mod load;
/// Alerts that are told: by webhooks, by e-mail and in the log, at least once.
mod notifications;
/// `tollgate openapi`, `/openapi.json` and `/docs`: the interface describes itself, and truly.
mod openapi;
/// What authors of plugins use: `tollgate plugin`, its scaffolds, the examples, and the promise that
/// what they built goes on working.
mod plugins;
/// What operators do with policies beyond editing files: going back, and changing plans and prices
/// at runtime.
mod policies;
/// `tollgate prices`, and catalogues that are imported.
mod prices;
/// Policies change while calls are under way.
mod reload;
/// The rest of the seed document: what its page promises, under its names.
mod seed;
/// Quotas over the seconds that end now.
mod sliding;
/// The program in a folder of its own, and a client that keeps every digit.
mod support;
/// `tollgate verify`, after whatever happened to the service.
mod verify;
