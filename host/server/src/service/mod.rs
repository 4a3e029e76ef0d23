//! The use cases, free of HTTP.
//!
//! Each takes the policy set once and keeps it: no call is decided by half of two revisions.
//! Policies estimate and price before the ledger is asked; judges and alerters are checked out
//! before its lock is taken.

mod alerts;
mod ask;
mod billing;
mod correct;
mod dashboard;
mod documents;
mod error;
mod logs;
mod notifications;
mod outlook;
mod payer;
mod policies;
mod price;
mod projections;
mod rate;
mod record;
mod refusals;
mod rerate;
mod settle;
mod statistics;
mod subscription;
mod unpriced;
mod usage;

use std::sync::Arc;

use tokio::task::spawn_blocking;
use tollgate_domain::{SubjectPath, Timestamp};
use tollgate_engine::{Policies, PolicySet};
use tollgate_ledger::{LedgerError, Once, Turn};

pub use ask::Answer;
pub use billing::Billed;
pub use correct::{Amended, CorrectionAsk};
pub use dashboard::Dashboard;
pub use documents::NewPrice;
pub use error::Error;
pub use notifications::Deliveries;
pub use policies::Measured;
pub use price::PriceQuestion;
pub use projections::{ProjectedLimit, Projections};
pub use rate::{Made, Used};
pub use record::{RatedUse, Recording, UseReport};
pub use refusals::Refusals;
pub use rerate::{RerateAsk, Rerated, Sum as RerateSum};
pub use settle::Settlement;
pub use statistics::{Statistics, UsageStatus};
pub use subscription::{Changed, How, Subscribed};
use unpriced::Unpriced;

use crate::app::{Backup, Ledger};
use crate::clock::Clock;
use crate::notify::Notifier;

/// What the service works with.
pub struct Service {
    ledger: Arc<Ledger>,
    policies: Arc<Policies>,
    clock: Clock,
    unpriced: Unpriced,
    /// `None` where nothing is sent, as on the command line.
    notifier: Option<Arc<Notifier>>,
}

impl Service {
    pub fn new(ledger: Arc<Ledger>, policies: Arc<Policies>, clock: Clock) -> Self {
        Self { ledger, policies, clock, unpriced: Unpriced::default(), notifier: None }
    }

    /// The same, with somebody who sends what alerts put on the outbox.
    pub fn notifying(self, notifier: Arc<Notifier>) -> Self {
        Self { notifier: Some(notifier), ..self }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether calls can be decided. The ledger has recovered before there is a service.
    pub fn ready(&self) -> Result<(), Error> {
        self.policy_set().map(drop)
    }

    /// Takes the turn of a request under an idempotency key.
    pub fn turn(&self, once: Once) -> Result<Turn, Error> {
        Ok(self.ledger.turn(once, self.now())?)
    }

    /// A backup of everything so far. May block, as reading it may.
    pub fn backup(&self) -> Result<Backup, Error> {
        Ok(self.ledger.backup()?)
    }

    /// Reads what takes long or lies on the disk, on a thread that serves no connection.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, Error> {
        let ledger = self.ledger.clone();
        let found = spawn_blocking(move || read(&ledger)).await;
        Ok(found.map_err(|error| Error::BrokeDown(error.to_string()))??)
    }

    /// The set that decides for a subject.
    fn policy_set_for(&self, subject: &SubjectPath) -> Result<Arc<PolicySet>, Error> {
        Ok(self.policy_set()?.for_subject(subject))
    }

    fn policy_set(&self) -> Result<Arc<PolicySet>, Error> {
        self.policies.current().ok_or(Error::NoPolicies)
    }
}
