//! What a level used month by month, and day by day.

use tokio::task::spawn_blocking;
use tollgate_domain::{Calendar, PeriodId, PlanBook, Span, SubjectId, Timestamp, Window};

use super::{Ledger, LedgerError, Step};
use crate::store::{Store, StoreError};
use crate::totals::Table;

/// What a level used in a billing period, or on a day.
#[derive(Clone, Debug)]
pub struct SpanUsage {
    pub span: Span,
    pub table: Table,
}

/// What a level used in some billing periods.
#[derive(Clone, Debug)]
pub struct MonthUsage {
    pub period: PeriodId,
    pub usage: SpanUsage,
}

impl<S: Store> Ledger<S> {
    /// What a level used in the billing period that runs now and in those before it, `months` in
    /// all, the oldest first; in some perhaps nothing.
    pub async fn months(
        &self,
        subject: &SubjectId,
        months: usize,
        plans: &PlanBook,
        clock: Timestamp,
    ) -> Result<Vec<MonthUsage>, LedgerError> {
        let (calendar, now, running) = self.running(subject, plans, clock).await?;
        let (store, subject) = (self.store.clone(), subject.clone());
        let found = spawn_blocking(move || {
            let mut span = Window::Month.span(now, &calendar);
            let mut found = Vec::with_capacity(months);
            let mut running = Some(running);
            while found.len() < months {
                let table = match running.take() {
                    Some(table) => table,
                    None => store.used(&subject, &span)?,
                };
                let period = calendar.period(span.start);
                found.push(MonthUsage { period, usage: SpanUsage { span, table } });
                span = before(&span, Window::Month, &calendar);
            }
            found.reverse();
            Ok::<_, StoreError>(found)
        });
        Ok(found.await.map_err(|error| StoreError(error.to_string()))??)
    }

    /// What a level used on each of the last `days` days that are over, by its own calendar, the
    /// oldest first. May block.
    pub fn days(
        &self,
        subject: &SubjectId,
        days: usize,
        calendar: &Calendar,
        now: Timestamp,
    ) -> Result<Vec<SpanUsage>, LedgerError> {
        let mut span = Window::Day.span(now, calendar);
        let mut spans = Vec::with_capacity(days);
        while spans.len() < days {
            span = before(&span, Window::Day, calendar);
            spans.push(span);
        }
        spans.reverse();
        let tables = self.store.used_in_each(subject, &spans)?;
        let found = spans.into_iter().zip(tables).map(|(span, table)| SpanUsage { span, table });
        Ok(found.collect())
    }

    /// A level's calendar, the instant, and what was used in the month that runs.
    async fn running(
        &self,
        subject: &SubjectId,
        plans: &PlanBook,
        clock: Timestamp,
    ) -> Result<(Calendar, Timestamp, Table), LedgerError> {
        let running = self.run(subject, plans, clock, |locked| {
            let account = locked.root.account(subject).cloned().unwrap_or_default();
            let tally = account.tally(Window::Month, locked.now);
            let table = tally.map(|tally| tally.table.clone()).unwrap_or_default();
            Ok(Step::Done((account.calendar(), locked.now, table)))
        });
        Ok(running.await?.0)
    }
}

/// The window of this length that ends where another begins.
fn before(span: &Span, window: Window, calendar: &Calendar) -> Span {
    let last = Timestamp::from_micros(span.start.micros().saturating_sub(1));
    window.span(last, calendar)
}
