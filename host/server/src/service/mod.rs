//! The use cases, free of HTTP.
//!
//! Each takes the policy set once and keeps it: no call is decided by half of two revisions.
//! Policies estimate and price before the ledger is asked; judges and alerters are checked out
//! before its lock is taken.

mod ask;
mod billing;
mod correct;
mod error;
mod payer;
mod price;
mod rate;
mod record;
mod refusals;
mod rerate;
mod settle;
mod statistics;
mod subscription;
mod usage;

use std::sync::Arc;

use tokio::task::spawn_blocking;
use tollgate_domain::Timestamp;
use tollgate_engine::{Policies, PolicySet, PolicyStatus};
use tollgate_ledger::{Once, Turn};

pub use ask::Answer;
pub use billing::Billed;
pub use correct::{Amended, CorrectionAsk};
pub use error::Error;
pub use price::PriceQuestion;
pub use rate::{Made, Used};
pub use record::UseReport;
pub use refusals::Refusals;
pub use rerate::{RerateAsk, Rerated, Sum as RerateSum};
pub use settle::Settlement;
pub use statistics::Statistics;
pub use subscription::Subscribed;

use crate::app::{Backup, Ledger};
use crate::clock::Clock;

/// What the service works with.
pub struct Service {
    ledger: Arc<Ledger>,
    policies: Arc<Policies>,
    clock: Clock,
}

impl Service {
    pub fn new(ledger: Arc<Ledger>, policies: Arc<Policies>, clock: Clock) -> Self {
        Self { ledger, policies, clock }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether calls can be decided. The ledger has recovered before there is a service.
    pub fn ready(&self) -> Result<(), Error> {
        self.policy_set().map(drop)
    }

    pub fn policy_status(&self) -> PolicyStatus {
        self.policies.status()
    }

    /// Looks at the policies' folder now. Answers once what is there is active or refused.
    pub async fn reload(&self) -> PolicyStatus {
        let policies = self.policies.clone();
        // Compiling takes its time. However it ends, the status says what is active.
        if let Err(error) = spawn_blocking(move || policies.reload()).await {
            tracing::error!(%error, "the reload broke down");
        }
        self.policies.status()
    }

    /// Takes the turn of a request under an idempotency key.
    pub fn turn(&self, once: Once) -> Result<Turn, Error> {
        Ok(self.ledger.turn(once, self.now())?)
    }

    /// A backup of everything so far. May block, as reading it may.
    pub fn backup(&self) -> Result<Backup, Error> {
        Ok(self.ledger.backup()?)
    }

    fn policy_set(&self) -> Result<Arc<PolicySet>, Error> {
        self.policies.current().ok_or(Error::NoPolicies)
    }
}
