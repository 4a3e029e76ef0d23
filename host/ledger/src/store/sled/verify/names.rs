//! What finds units again: callers' names for events, and the marks of idempotency keys.

use tollgate_domain::{SubjectPath, Timestamp};

use super::difference::Differences;
use crate::correction::Correction;
use crate::event::EventId;
use crate::store::sled::SledStore;
use crate::store::sled::block::Entry;
use crate::store::{Fact, Marked, Store, StoreError};

pub struct Names {
    /// Marks of units decided earlier may be forgotten.
    marks_since: Timestamp,
    /// How many events and corrections have names. Each is compared as it comes: they need not be kept.
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
        match entry.change.fact() {
            Some(Fact::Event(event)) => {
                if let Some(key) = &event.report.key {
                    let (subject, row) = (&event.report.subject, format!("the event's name {key}"));
                    let found = store.event_by_key(subject, key);
                    self.compare_name(subject, &row, id, found, differences);
                }
            }
            Some(Fact::Correction(correction)) => {
                let Correction { amendment, subject, .. } = &*correction;
                let row = format!("the correction's name {}", amendment.key);
                let found = store.correction_by_key(subject, &amendment.key);
                self.compare_name(subject, &row, id, found, differences);
                let row = format!("the corrections of {}", amendment.corrects);
                let found = differences.readable(&row, store.corrections_of(amendment.corrects));
                if found.is_some_and(|found| !found.contains(&id)) {
                    differences.push(
                        Some(subject),
                        &row,
                        format_args!("{id} among them"),
                        "others",
                    );
                }
            }
            None => {}
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

    fn compare_name(
        &mut self,
        subject: &SubjectPath,
        row: &str,
        id: EventId,
        found: Result<Option<EventId>, StoreError>,
        differences: &mut Differences,
    ) {
        self.named += 1;
        match differences.readable_of(Some(subject), row, found) {
            Some(Some(found)) if found != id => differences.push(Some(subject), row, id, found),
            Some(None) => differences.push(Some(subject), row, id, "none"),
            Some(Some(_)) | None => {}
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
    let mut count = store.rows.count_names()?;
    for name in store.memory.read().overlays().flat_map(|overlay| overlay.events.keys()) {
        count += u64::from(store.rows.named(name)?.is_none());
    }
    Ok(count)
}
