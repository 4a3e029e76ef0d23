//! The ledger: who used what, exactly and durably.
//!
//! A call's path through here: [`Ledger`] takes the lock of the call's root, reads the state of
//! every level from [`root`], asks the given closure for the policies' opinion, decides
//! ([`tollgate_domain::decide`]), and hands one [`store::Unit`] to the [`committer`], which
//! writes what waits in one go. The lock is free again before anything is written; the answer
//! is given after it is on disk.

mod account;
mod alert;
pub mod backup;
mod billing;
mod committer;
mod correction;
mod delivery;
mod event;
mod events;
mod ledger;
mod once;
mod outbox;
mod refusal;
mod reservation;
mod reserved;
mod root;
mod sliding;
pub mod store;
mod totals;

pub use account::Account;
pub use alert::{AlertId, Alerted, Alerts};
pub use backup::Backup;
pub use billing::{BillingEntry, Invoice};
pub use correction::{Amendment, Correction, Use};
pub use delivery::{Delivery, DeliveryFilter, DeliveryId, DeliveryState, Listed, Progress};
pub use event::{Event, EventId, Fingerprint, Raised, Report};
pub use events::Events;
pub use ledger::{
    Ask, Begun, Corrected, Counted, Ledger, LedgerError, LogEntry, LogFilter, LogPage, MonthUsage,
    Numbers, Period, PeriodUsage, REFUSALS_KEPT, Recorded, Reserved, SpanUsage, SubscriptionChange,
    forgettable,
};
pub use once::{Once, Turn};
pub use refusal::{Cause, Refusal, RefusalCounts, RefusalId};
pub use reservation::{Outcome, Reservation, ReservationId, State};
pub use totals::{Cell, Overflow, Table, Totals};
