//! Alerts: listed, and read.

use tollgate_domain::{PeriodId, PlanBook, Span, SubjectId, Timestamp};

use super::{Ledger, LedgerError, Step};
use crate::alert::{AlertId, Alerted, Alerts};
use crate::event::Raised;
use crate::root::Claim;
use crate::store::Store;

impl<S: Store> Ledger<S> {
    /// The alerts of a level, the newest first, of those that nobody has read, or of all: no more
    /// than so many, after `offset` others. May block.
    pub fn alerts(
        &self,
        subject: &SubjectId,
        unread_only: bool,
        offset: usize,
        limit: usize,
    ) -> Result<Alerts, LedgerError> {
        let all = self.store.alerts(subject)?;
        let unread = all.iter().filter(|(_, read_at)| read_at.is_none()).count() as u64;
        let total = if unread_only { unread } else { all.len() as u64 };
        let which = all.into_iter().rev().filter(|(_, read_at)| !unread_only || read_at.is_none());
        let alerts = which.skip(offset).take(limit).map(|(id, read_at)| self.alerted(id, read_at));
        Ok(Alerts { alerts: alerts.collect::<Result<_, _>>()?, total, unread })
    }

    /// The alerts of a level that were raised in a span, the newest first, no more than so many.
    /// May block.
    pub fn alerts_in(
        &self,
        subject: &SubjectId,
        span: &Span,
        limit: usize,
    ) -> Result<Vec<Alerted>, LedgerError> {
        let all = self.store.alerts(subject)?;
        // Numbers are in the order of time: where the span ends is found by halving.
        let (mut first, mut end) = (0, all.len());
        while first < end {
            let middle = first + (end - first) / 2;
            let (id, read_at) = all[middle];
            let raised_at = self.alerted(id, read_at)?.raised.raised_at;
            match span.end.is_none_or(|end| raised_at < end) {
                true => first = middle + 1,
                false => end = middle,
            }
        }
        let mut found = Vec::new();
        for (id, read_at) in all[..end].iter().rev().take(limit) {
            let alert = self.alerted(*id, *read_at)?;
            if alert.raised.raised_at < span.start {
                break;
            }
            found.push(alert);
        }
        Ok(found)
    }

    /// Notes that somebody has read an alert, the first time it is said.
    pub async fn read_alert(
        &self,
        id: AlertId,
        plans: &PlanBook,
        clock: Timestamp,
    ) -> Result<(), LedgerError> {
        let subject = match self.find(id)? {
            Some((raised, _)) => raised.alert.subject,
            None => return Err(LedgerError::UnknownAlert),
        };
        let claim = Claim::Alert(id);
        let read = self.run(&subject, plans, clock, |locked| {
            if locked.root.is_claimed(&claim) {
                return Ok(Step::Wait);
            }
            let all = self.store.alerts(&subject)?;
            let known = all.binary_search_by_key(&id, |(id, _)| *id).map(|at| all[at].1);
            if known.is_ok_and(|read_at| read_at.is_some()) {
                return Ok(Step::Done(()));
            }
            let unit = locked.root.read(subject.clone(), id, locked.now);
            let shared = locked.shared.clone();
            Ok(Step::Queued((), self.committer.commit(unit, Some(claim.clone()), shared)))
        });
        read.await.map(drop)
    }

    pub(super) fn alerted(
        &self,
        id: AlertId,
        read_at: Option<Timestamp>,
    ) -> Result<Alerted, LedgerError> {
        let (raised, period) = self.find(id)?.ok_or(LedgerError::UnknownAlert)?;
        let sent_at = self.sent_at(id)?;
        Ok(Alerted { id, raised, period, read_at, sent_at })
    }

    fn find(&self, id: AlertId) -> Result<Option<(Raised, PeriodId)>, LedgerError> {
        if !self.store.blocks().contains(&id.block()) {
            return Ok(None);
        }
        let changes = self.store.changes_of(id.block())?;
        let raised =
            changes.iter().flat_map(|(_, change)| change.raised().iter().map(move |r| (r, change)));
        let found = { raised }.nth(id.ordinal());
        Ok(found.and_then(|(raised, change)| Some((raised.clone(), change.period_of(raised)?))))
    }
}
