//! What a level used.

use tollgate_domain::{PeriodId, PlanBook, QuotaState, SubjectId, Subscription, Timestamp, Window};

use super::{Ledger, LedgerError, Step};
use crate::event::Raised;
use crate::store::Store;
use crate::totals::Table;

/// Which use is asked for.
#[derive(Clone, Debug)]
pub enum Period {
    Current,
    Of(PeriodId),
    AllTime,
}

/// What one level used.
#[derive(Debug)]
pub struct PeriodUsage {
    /// `None` where neither it nor any level above has a plan.
    pub subscription: Option<Subscription>,
    /// `None` for all time.
    pub period: Option<PeriodId>,
    pub table: Table,
    /// Where it stands now on the quotas of its own plan.
    pub quotas: Vec<QuotaState>,
    /// The alerts of windows that have not passed.
    pub raised: Vec<Raised>,
}

impl<S: Store> Ledger<S> {
    /// What a level used in a billing period, at a cost independent of how much that was.
    pub async fn usage(
        &self,
        subject: &SubjectId,
        period: &Period,
        plans: &PlanBook,
        clock: Timestamp,
    ) -> Result<PeriodUsage, LedgerError> {
        let used = self.run(subject, plans, clock, |locked| {
            let (root, now) = (&*locked.root, locked.now);
            let subscription = root.subscription(subject, plans, now);
            let account = root.account(subject).cloned().unwrap_or_default();
            let calendar = account.calendar();
            let in_account = |window| account.tally(window, now).map(|tally| tally.table.clone());
            let table = match period {
                Period::AllTime => in_account(Window::Lifetime).unwrap_or_default(),
                Period::Current => in_account(Window::Month).unwrap_or_default(),
                Period::Of(period) => match calendar.period_span(period) {
                    Some(span) => self.store.used(subject, &span)?,
                    None => Table::default(),
                },
            };
            Ok(Step::Done(PeriodUsage {
                subscription,
                period: match period {
                    Period::AllTime => None,
                    Period::Current => Some(calendar.period(now)),
                    Period::Of(period) => Some(period.clone()),
                },
                table,
                quotas: root.quotas(subject, plans, now),
                raised: account.raised().to_vec(),
            }))
        });
        Ok(used.await?.0)
    }
}
