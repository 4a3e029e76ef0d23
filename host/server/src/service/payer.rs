//! Who pays for a call, and what they used lately, as far as its price depends on it.

use tollgate_domain::{Call, SubjectPath, Usd};
use tollgate_engine::{Average, Payer, PolicySet};
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

    /// What such a call of the subject used on average lately. Nothing is looked up where no
    /// policy wishes to know.
    pub(super) async fn average(&self, set: &PolicySet, call: &Call) -> Result<Average, Error> {
        if !set.asks_average() {
            return Ok(Average::default());
        }
        let (provider, model) = (&call.provider, call.model.as_ref());
        let plans = set.plans();
        let average = self.ledger.average(&call.subject, provider, model, plans, self.now()).await;
        Ok(Average(average?))
    }
}
