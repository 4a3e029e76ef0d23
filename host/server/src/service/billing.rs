//! What was billed.

use std::sync::Arc;

use tollgate_domain::SubjectId;
use tollgate_ledger::{BillingEntry, Invoice, LedgerError, Overflow};

use super::{Error, Service};

/// A closed billing period, and what it is billed as.
pub struct Billed {
    pub entry: Arc<BillingEntry>,
    pub invoice: Invoice,
}

impl Service {
    /// The closed billing periods of a level, the newest first.
    pub async fn billing_history(&self, subject: SubjectId) -> Result<Vec<Billed>, Error> {
        let (set, now) = (self.policy_set_for(&subject)?, self.now());
        let history = self.ledger.billing_history(&subject, set.plans(), now).await?;
        let billed = history.into_iter().rev().map(|entry| {
            let invoice = entry.invoice().ok_or(LedgerError::Overflow(Overflow))?;
            Ok(Billed { entry, invoice })
        });
        billed.collect()
    }
}
