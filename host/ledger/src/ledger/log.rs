//! A level's log: its events one by one, the newest first.

mod walk;

use std::collections::BTreeSet;
use std::sync::Arc;

use tollgate_domain::{Calendar, Charge, ProviderId, SubjectId, Timestamp, Window};

use self::walk::Walk;
use super::{Ledger, LedgerError};
use crate::account::Account;
use crate::correction::Use;
use crate::event::{Event, EventId};
use crate::store::{Logged, ProviderTag, Store};
use crate::totals::Cell;

/// Which events of a level are asked for.
#[derive(Clone, Debug, Default)]
pub struct LogFilter {
    /// Of one provider; `None` for all.
    pub provider: Option<ProviderId>,
    /// Of failed calls, or of others; `None` for both.
    pub failed: Option<bool>,
}

/// A page of a level's log.
#[derive(Debug)]
pub struct LogPage {
    pub entries: Vec<LogEntry>,
    /// How many there are, on this page or not.
    pub total: u64,
    /// Whether there are older ones than these.
    pub has_more: bool,
    /// The level's: it says which billing periods they belong to.
    pub calendar: Calendar,
}

/// An event, and what it counts by now.
#[derive(Debug)]
pub struct LogEntry {
    pub id: EventId,
    pub event: Arc<Event>,
    pub used: Use,
    /// What the cost is made of; empty where the caller gave it.
    pub charges: Vec<Charge>,
}

impl<S: Store> Ledger<S> {
    /// The events of a level and of those beneath it, the newest first, without the first
    /// `offset`. Only those of the page are read; those before it are passed over in the log. May
    /// block.
    pub fn log(
        &self,
        subject: &SubjectId,
        which: &LogFilter,
        offset: u64,
        limit: usize,
    ) -> Result<LogPage, LedgerError> {
        let take = which.clone().into_take(cells(&*self.committed(subject)?));
        let mut walk = Walk::new(&*self.store, subject, which, offset, limit);
        let (mut entries, mut has_more) = (Vec::new(), false);
        while let Some(line) = walk.next()? {
            if !take.may_take(&line) {
                continue;
            }
            if take.is_sure() && walk.to_pass > 0 {
                walk.to_pass -= 1;
                continue;
            }
            let entry = self.log_entry(&line)?;
            let path = &entry.event.report.subject;
            if !take.takes(&entry.event) || path.levels().all(|level| level != *subject) {
                continue;
            }
            if walk.to_pass > 0 {
                walk.to_pass -= 1;
            } else if entries.len() < limit {
                entries.push(entry);
            } else {
                has_more = true;
                break;
            }
        }
        // Counted last: whatever is listed is counted.
        let account = self.committed(subject)?;
        let (total, calendar) = (which.count(cells(&account)), account.calendar());
        Ok(LogPage { entries, total, has_more, calendar })
    }

    fn committed(&self, subject: &SubjectId) -> Result<Arc<Account>, LedgerError> {
        Ok(self.store.account(subject)?.map(|(_, account)| account).unwrap_or_default())
    }

    fn log_entry(&self, line: &Logged) -> Result<LogEntry, LedgerError> {
        let (event, id) = (self.found(line.id)?.0, line.id);
        let last = self.corrections(id)?.pop();
        let (used, charges) = match &last {
            Some(last) => {
                let amendment = &last.correction.amendment;
                (amendment.after.clone(), amendment.charges.clone())
            }
            None => (event.used(), event.report.charges.clone()),
        };
        Ok(LogEntry { id, event, used, charges })
    }
}

/// Everything that a level has ever used, by provider and model.
fn cells(account: &Account) -> &[Cell] {
    // Every instant lies in a lifetime.
    let lifetime = account.tally(Window::Lifetime, Timestamp::EPOCH);
    lifetime.map_or(&[], |tally| tally.table.cells())
}

/// What a filter takes, as far as the log itself tells.
struct Take {
    which: LogFilter,
    tag: Option<ProviderTag>,
    /// Whether another provider that the level has used has the same tag.
    is_ambiguous: bool,
}

impl LogFilter {
    /// How many events it takes of all that a level ever used.
    fn count(&self, cells: &[Cell]) -> u64 {
        let own = cells.iter().filter(|c| self.provider.as_ref().is_none_or(|p| c.provider == *p));
        let counted = own.map(|cell| match self.failed {
            None => cell.totals.events,
            Some(true) => cell.totals.failed,
            Some(false) => cell.totals.events.saturating_sub(cell.totals.failed),
        });
        counted.sum()
    }

    fn into_take(self, cells: &[Cell]) -> Take {
        let tag = self.provider.as_ref().map(ProviderTag::of);
        let alike: BTreeSet<_> = cells
            .iter()
            .map(|cell| &cell.provider)
            .filter(|provider| tag == Some(ProviderTag::of(provider)))
            .collect();
        let is_ambiguous = alike.iter().any(|provider| Some(*provider) != self.provider.as_ref());
        Take { which: self, tag, is_ambiguous }
    }
}

impl Take {
    fn may_take(&self, line: &Logged) -> bool {
        self.tag.is_none_or(|tag| line.provider == tag)
            && self.which.failed.is_none_or(|failed| line.failed == failed)
    }

    /// Whether it takes all that it may take, so that what is passed over need not be read.
    fn is_sure(&self) -> bool {
        !self.is_ambiguous
    }

    fn takes(&self, event: &Event) -> bool {
        self.which.provider.as_ref().is_none_or(|provider| event.report.provider == *provider)
    }
}
