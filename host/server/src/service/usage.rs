//! What a level used.

use std::sync::Arc;

use tollgate_domain::{Plan, SubjectId};
use tollgate_engine::PolicySet;
use tollgate_ledger::{LedgerError, MonthUsage, Period, PeriodUsage};

use super::statistics::Statistics;
use super::{Error, Service};

/// Statistics list no more alerts than these.
const ALERTS_MAX: usize = 100;

impl Service {
    /// What a level used in a billing period.
    pub async fn usage(&self, subject: SubjectId, period: &Period) -> Result<Statistics, Error> {
        let set = self.policy_set()?;
        let usage = self.ledger.usage(&subject, period, set.plans(), self.now()).await?;
        self.statistics(&subject, usage, &set)
    }

    /// What a level used in each of the last so many billing periods, the oldest first.
    pub async fn months(
        &self,
        subject: &SubjectId,
        months: usize,
    ) -> Result<Vec<MonthUsage>, Error> {
        let set = self.policy_set()?;
        Ok(self.ledger.months(subject, months, set.plans(), self.now()).await?)
    }

    pub(super) fn statistics(
        &self,
        subject: &SubjectId,
        usage: PeriodUsage,
        set: &PolicySet,
    ) -> Result<Statistics, Error> {
        let alerts = self.ledger.alerts_in(subject, &usage.span, ALERTS_MAX)?;
        let plan = plan(&usage, set);
        Ok(Statistics::new(usage, alerts, plan).map_err(LedgerError::from)?)
    }
}

/// The plan in force for a level.
pub(super) fn plan(usage: &PeriodUsage, set: &PolicySet) -> Option<Arc<Plan>> {
    usage.subscription.as_ref().and_then(|own| set.plans().get(&own.plan)).cloned()
}
