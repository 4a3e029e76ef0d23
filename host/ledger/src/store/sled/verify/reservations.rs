//! Reservations, and how they ended. Those that may be forgotten are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tollgate_domain::Timestamp;

use super::difference::Differences;
use crate::event::EventId;
use crate::reservation::{Outcome, Reservation, ReservationId};
use crate::store::sled::SledStore;
use crate::store::sled::block::Entry;
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

    pub fn compare(self, store: &SledStore, differences: &mut Differences) {
        for expected in self.open.values() {
            let found = differences.readable("a reservation", store.reservation(expected.id));
            compare(expected, found.flatten().as_deref(), differences);
        }
        let ended = self.count(store, differences);
        let ended = differences.readable("the reservations", ended);
        if let Some(found) = ended.filter(|found| *found != self.ended) {
            differences.push(None, "the ended reservations", self.ended, found);
        }
        if let Some(listed) = differences.readable("the held reservations", listed(store)) {
            let now = store.last_instant();
            let held = self.open.values().filter(|held| held.expires_at > now);
            for missing in held.filter(|held| !listed.contains(&held.id)) {
                let (subject, row) = (Some(&missing.call.subject), row(missing.id));
                differences.push(subject, &row, "it listed as held", "it not");
            }
        }
    }

    /// How many ended reservations are stored; others than those expected are named.
    fn count(&self, store: &SledStore, differences: &mut Differences) -> Result<u64, StoreError> {
        let memory = store.memory.read();
        let mut count = 0;
        for stored in store.rows.all_reservations() {
            let (id, has_ended) = stored?;
            let in_memory = memory.overlays().any(|overlay| overlay.reservation(id).is_some());
            if id < self.first || in_memory {
                continue;
            }
            count += u64::from(has_ended);
            if !has_ended && !self.open.contains_key(&id) {
                differences.push(None, &row(id), "it to have ended", "it open");
            }
        }
        let in_memory = memory.overlays().flat_map(|overlay| overlay.reservations.values());
        let ended = in_memory.map(|changed| &changed.reservation);
        let ended = ended.filter(|r| r.id >= self.first && r.outcome != Outcome::Open);
        let ended: BTreeSet<_> = ended.map(|r| r.id).collect();
        Ok(count + ended.len() as u64)
    }
}

/// What is listed as held, or is in memory, where it need not be.
fn listed(store: &SledStore) -> Result<BTreeSet<ReservationId>, StoreError> {
    let memory = store.memory.read();
    let in_memory = memory.overlays().flat_map(|overlay| overlay.reservations.values());
    let in_memory = in_memory.map(|changed| Ok(changed.reservation.id));
    store.rows.all_held().chain(in_memory).collect()
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
