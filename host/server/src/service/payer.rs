//! Who pays for a call, as far as its price depends on it.

use tollgate_domain::{SubjectPath, Usd};
use tollgate_engine::{Payer, PolicySet};
use tollgate_ledger::{Overflow, Period};

use super::{Error, Service};

impl Service {
    /// The payer as of now. Nothing is looked up where no policy asks for it.
    pub(super) async fn payer(
        &self,
        set: &PolicySet,
        subject: &SubjectPath,
    ) -> Result<Payer, Error> {
        if !set.asks_who_pays() {
            return Ok(Payer::default());
        }
        let (plans, now) = (set.plans(), self.now());
        let subscription = self.ledger.subscription(subject, plans, now).await?;
        let widest = self.ledger.usage(&subject.root(), &Period::Current, plans, now).await?;
        let cost = widest
            .table
            .cells()
            .iter()
            .try_fold(Usd::ZERO, |sum, cell| sum.checked_add(cell.totals.cost).ok_or(Overflow));
        let cost = cost.map_err(tollgate_ledger::LedgerError::from)?;
        Ok(Payer { plan: subscription.map(|it| it.plan), period_cost: Some(cost) })
    }
}
