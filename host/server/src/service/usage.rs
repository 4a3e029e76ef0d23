//! What a level used.

use std::sync::Arc;

use tollgate_domain::{Plan, Span, SubjectId};
use tollgate_engine::PolicySet;
use tollgate_ledger::{Alerted, LedgerError, MonthUsage, Period, PeriodUsage};

use super::statistics::Statistics;
use super::{Error, Service};
use crate::app::Ledger;

/// Statistics list no more alerts than these.
const ALERTS_MAX: usize = 100;

impl Service {
    /// What a level used in a billing period.
    pub async fn usage(&self, subject: SubjectId, period: &Period) -> Result<Statistics, Error> {
        let set = self.policy_set()?;
        let usage = self.ledger.usage(&subject, period, set.plans(), self.now()).await?;
        let span = usage.span;
        let alerts = self.read(move |ledger| alerts_of(ledger, &subject, &span)).await?;
        statistics(usage, alerts, &set)
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
}

/// The alerts that statistics of a span list.
pub(super) fn alerts_of(
    ledger: &Ledger,
    subject: &SubjectId,
    span: &Span,
) -> Result<Vec<Alerted>, LedgerError> {
    ledger.alerts_in(subject, span, ALERTS_MAX)
}

pub(super) fn statistics(
    usage: PeriodUsage,
    alerts: Vec<Alerted>,
    set: &PolicySet,
) -> Result<Statistics, Error> {
    let plan = plan(&usage, set);
    Ok(Statistics::new(usage, alerts, plan).map_err(LedgerError::from)?)
}

/// The plan in force for a level.
pub(super) fn plan(usage: &PeriodUsage, set: &PolicySet) -> Option<Arc<Plan>> {
    usage.subscription.as_ref().and_then(|own| set.plans().get(&own.plan)).cloned()
}
