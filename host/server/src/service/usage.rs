//! What a level used.

use tollgate_domain::SubjectId;
use tollgate_ledger::{LedgerError, Period};

use super::statistics::Statistics;
use super::{Error, Service};

impl Service {
    /// What a level used in a billing period.
    pub async fn usage(&self, subject: SubjectId, period: &Period) -> Result<Statistics, Error> {
        let (set, now) = (self.policy_set()?, self.now());
        let usage = self.ledger.usage(&subject, period, set.plans(), now).await?;
        let plan = usage.subscription.as_ref().and_then(|own| set.plans().get(&own.plan)).cloned();
        Ok(Statistics::new(usage, plan, now).map_err(LedgerError::from)?)
    }
}
