//! What finds units again: callers' names for events, and the marks of idempotency keys.

use tollgate_domain::Timestamp;

use super::difference::Differences;
use crate::event::EventId;
use crate::store::sled::SledStore;
use crate::store::sled::block::Entry;
use crate::store::sled::rows::Key;
use crate::store::{Marked, Store, StoreError};

pub struct Names {
    /// Marks of units decided earlier may be forgotten.
    marks_since: Timestamp,
    /// How many events have names. Each is compared as it comes: they need not be kept.
    named: u64,
}

impl Names {
    pub fn new(marks_since: Timestamp) -> Self {
        Self { marks_since, named: 0 }
    }

    pub fn add(
        &mut self,
        store: &SledStore,
        id: EventId,
        entry: &Entry,
        differences: &mut Differences,
    ) {
        let report = entry.change.event().map(|event| &event.report);
        if let Some(report) = report
            && let Some(key) = &report.key
        {
            self.named += 1;
            let (subject, row) = (Some(&report.subject), format!("the event's name {key}"));
            let found = store.event_by_key(&report.subject, key);
            match differences.readable_of(subject, &row, found) {
                Some(Some(found)) if found != id => differences.push(subject, &row, id, found),
                Some(None) => differences.push(subject, &row, id, "none"),
                Some(Some(_)) | None => {}
            }
        }
        if let Some(mark) = entry.mark
            && entry.at >= self.marks_since
        {
            let row = format!("the mark of {id}");
            let found = store.marked(&mark.once.key, self.marks_since);
            let found = differences.readable(&row, found);
            let expected = Marked { mark, at: entry.at, unit: id };
            if found.is_some_and(|found| !found.contains(&expected)) {
                differences.push(None, &row, "one", "none");
            }
        }
    }

    pub fn compare(&self, store: &SledStore, differences: &mut Differences) {
        let found = differences.readable("the events' names", count(store));
        if let Some(found) = found.filter(|found| *found != self.named) {
            differences.push(None, "the events' names", self.named, found);
        }
    }
}

/// How many names of events are stored.
fn count(store: &SledStore) -> Result<u64, StoreError> {
    let mut count = store.rows.count_event_names()?;
    for name in store.memory.read().overlays().flat_map(|overlay| overlay.events.keys()) {
        count += u64::from(!store.rows.has(&Key::event_name(name))?);
    }
    Ok(count)
}
