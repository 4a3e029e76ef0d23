//! Billing periods: closed by the clock, and looked back on.

use std::sync::Arc;

use tollgate_domain::{PlanBook, SubjectId, Timestamp};

use super::{Ledger, LedgerError, Step};
use crate::billing::BillingEntry;
use crate::committer::wait;
use crate::store::Store;

/// More periods than this end in the next round: a million accounts may end their month at
/// midnight, and calls go on meanwhile.
const CLOSED_MAX: usize = 4096;

impl<S: Store> Ledger<S> {
    /// The closed billing periods of a level, the oldest first: whatever has ended is closed.
    pub async fn billing_history(
        &self,
        subject: &SubjectId,
        plans: &PlanBook,
        clock: Timestamp,
    ) -> Result<Vec<Arc<BillingEntry>>, LedgerError> {
        let history = self.run(subject, plans, clock, |locked| {
            if locked.root.is_closing(subject) {
                return Ok(Step::Wait);
            }
            Ok(Step::Done(self.store.billing_history(subject)?))
        });
        Ok(history.await?.0)
    }

    /// Closes billing periods that have ended, traffic or none. Blocks.
    pub(super) fn close_periods(
        &self,
        plans: &PlanBook,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let due = self.store.due(now, CLOSED_MAX)?;
        let mut closing = Vec::new();
        for (_, subject) in &due {
            let id = subject.root();
            let shared = self.root(&id, now)?;
            let mut root = shared.lock();
            if self.is_stale(&id, &root, &shared) {
                return Ok(());
            }
            for (unit, claim) in root.arrive(&*self.store, subject, plans, now)? {
                closing.push(self.committer.commit_blocking(unit, Some(claim), shared.clone()));
            }
        }
        for closed in closing {
            let closed = wait(closed).map_err(|_| self.committer.failed())?;
            if closed?.is_err() {
                // Somebody else was faster, and may have closed it: the next round sees.
                return Ok(());
            }
        }
        Ok(self.store.forget_due(&due)?)
    }
}
