//! Callers' names of events, each with what it names.

use super::Rows;
use super::place::Place;
use super::runs::{Element, Kind};
use crate::event::EventId;
use crate::store::StoreError;
use crate::store::sled::overlay::EventName;

/// Names are kept for ever, and never given twice.
pub const NAMES: Kind = Kind {
    rows: b'E',
    filters: b'e',
    asked_bytes: size_of::<EventName>(),
    is_last: |_| true,
    last_is_forgotten: false,
    until: |_| u64::MAX,
};

impl Rows {
    /// What a caller gave this name.
    pub fn named(&self, name: &EventName) -> Result<Option<EventId>, StoreError> {
        Ok(self.names.find(name)?.map(|value| Place::of_value(value).unit))
    }

    /// Adds names, sorted and each once.
    pub(super) fn add_names(
        &self,
        names: impl ExactSizeIterator<Item = (EventName, EventId)>,
    ) -> Result<(), StoreError> {
        self.names.add(names.map(|(key, unit)| {
            let value = Place { unit, is_last: true }.value();
            Element { key, value }
        }))
    }

    /// How many names there are.
    pub fn count_names(&self) -> Result<u64, StoreError> {
        self.names.all().try_fold(0, |count, name| name.map(|_| count + 1))
    }
}
