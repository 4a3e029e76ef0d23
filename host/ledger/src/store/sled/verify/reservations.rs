//! Reservations, and how they ended. Those that may be forgotten are left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_domain::Timestamp;

use super::difference::Differences;
use crate::event::EventId;
use crate::reservation::{Outcome, Reservation, ReservationId};
use crate::store::sled::block::Entry;
use crate::store::sled::rows::Key;
use crate::store::sled::{Memory, SledStore};
use crate::store::{Store, StoreError};

pub struct Reservations {
    first: ReservationId,
    open: BTreeMap<ReservationId, Arc<Reservation>>,
    /// How many have ended. Each was compared when its end came: they need not be kept.
    ended: u64,
}

impl Reservations {
    pub fn new(since: Timestamp) -> Self {
        let first = ReservationId::first_at(since);
        Self { first, open: BTreeMap::new(), ended: 0 }
    }

    pub fn add(
        &mut self,
        store: &SledStore,
        id: EventId,
        entry: &Entry,
        differences: &mut Differences,
    ) {
        let reservation = entry.change.reservation(id).filter(|r| r.id >= self.first);
        let Some(reservation) = reservation else { return };
        if reservation.outcome == Outcome::Open {
            self.open.insert(reservation.id, reservation);
            return;
        }
        self.open.remove(&reservation.id);
        self.ended += 1;
        let found = differences.readable("a reservation", store.reservation(reservation.id));
        compare(&reservation, found.flatten().as_deref(), differences);
    }

    pub fn compare(mut self, store: &SledStore, differences: &mut Differences) {
        let memory = store.memory.read();
        for (id, found) in stored_open(store, &memory, differences) {
            match self.open.remove(&id) {
                Some(expected) => compare(&expected, Some(&found), differences),
                None if id < self.first => {}
                None => {
                    let subject = Some(&found.call.subject);
                    differences.push(subject, &row(id), "it to have ended", "it open");
                }
            }
        }
        for missing in self.open.values() {
            compare(missing, None, differences);
        }
        let ended = differences.readable("the ended reservations", self.count(store, &memory));
        if let Some(found) = ended.filter(|found| *found != self.ended) {
            differences.push(None, "the ended reservations", self.ended, found);
        }
    }

    /// How many ended reservations are stored.
    fn count(&self, store: &SledStore, memory: &Memory) -> Result<u64, StoreError> {
        let mut count = store.rows.count_ended(self.first)?;
        for reservation in memory.overlays().flat_map(|overlay| overlay.reservations.values()) {
            let ended = reservation.id >= self.first && reservation.outcome != Outcome::Open;
            count += u64::from(ended && !store.rows.has(&Key::ended(reservation.id))?);
        }
        Ok(count)
    }
}

/// What is stored as open: what is in memory is newer than the rows.
fn stored_open(
    store: &SledStore,
    memory: &Memory,
    differences: &mut Differences,
) -> BTreeMap<ReservationId, Arc<Reservation>> {
    let rows = store.rows.all_open();
    let rows = rows.filter_map(|row| differences.readable("a reservation", row));
    let mut found: BTreeMap<_, _> = rows.map(|row| (row.id, row)).collect();
    let overlays: Vec<_> = memory.overlays().collect();
    for reservation in overlays.iter().rev().flat_map(|overlay| overlay.reservations.values()) {
        found.insert(reservation.id, reservation.clone());
    }
    found.retain(|_, reservation| reservation.outcome == Outcome::Open);
    found
}

fn compare(expected: &Reservation, found: Option<&Reservation>, differences: &mut Differences) {
    if found == Some(expected) {
        return;
    }
    let (subject, row) = (Some(&expected.call.subject), row(expected.id));
    match found {
        Some(found) => {
            differences.push(subject, &row, format_args!("{expected:?}"), format_args!("{found:?}"))
        }
        None => differences.push(subject, &row, format_args!("{:?}", expected.outcome), "none"),
    }
}

fn row(id: ReservationId) -> String {
    format!("the reservation {id}")
}
