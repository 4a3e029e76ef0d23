//! What a level used.

use tollgate_domain::{
    Calendar, PeriodId, PlanBook, QuotaState, Span, SubjectId, Subscription, Timestamp, Window,
};

use super::{Ledger, LedgerError, Step};
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
    /// The level's own, by which its periods begin.
    pub calendar: Calendar,
    /// When that period begins and ends; all time has no beginning.
    pub span: Span,
    /// The instant up to which this is known.
    pub at: Timestamp,
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
            // For a month that no calendar has.
            let nothing = Span { start: now, end: Some(now) };
            let span = match period {
                Period::AllTime => Window::Lifetime.span(now, &calendar),
                Period::Current => Window::Month.span(now, &calendar),
                Period::Of(period) => calendar.period_span(period).unwrap_or(nothing),
            };
            let table = match period {
                Period::AllTime => in_account(Window::Lifetime).unwrap_or_default(),
                Period::Current => in_account(Window::Month).unwrap_or_default(),
                Period::Of(_) => self.store.used(subject, &span)?,
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
                calendar,
                span,
                at: now,
            }))
        });
        Ok(used.await?.0)
    }
}
