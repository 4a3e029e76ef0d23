//! The reference: everything in memory, nothing clever.

use std::collections::HashMap;
use std::future::{Future, ready};
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use tollgate_domain::{EventKey, RootId, Span, SubjectId, SubjectPath, Timestamp};

use super::{Change, Conflict, Forget, Mark, Marked, Store, StoreError, Unit, Version, block};
use crate::account::Account;
use crate::event::{Event, EventId, Fingerprint};
use crate::reservation::{Outcome, Reservation, ReservationId};
use crate::totals::{Table, Totals};

/// Forgets everything when it is dropped.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    units: Vec<(Timestamp, Change, Option<Mark>)>,
    accounts: HashMap<SubjectId, (Version, Arc<Account>)>,
    reservations: HashMap<ReservationId, Arc<Reservation>>,
}

impl State {
    fn commit(&mut self, unit: &Unit) -> Result<EventId, Conflict> {
        let version = |subject| self.accounts.get(subject).map_or(0, |(version, _)| *version);
        if unit.accounts.iter().any(|change| version(&change.subject) != change.read_at) {
            return Err(Conflict);
        }
        let id = EventId { block: self.units.len() as u64, index: 0 };
        for change in &unit.accounts {
            let state = (change.read_at + 1, change.account.clone());
            self.accounts.insert(change.subject.clone(), state);
        }
        if let Some(reservation) = unit.change.reservation(id) {
            self.reservations.insert(reservation.id, reservation);
        }
        self.units.push((unit.at, unit.change.clone(), unit.turn.mark()));
        Ok(id)
    }

    fn events(&self) -> impl Iterator<Item = (u64, &Arc<Event>)> {
        (0..).zip(&self.units).filter_map(|(at, (_, change, _))| Some((at, change.event()?)))
    }
}

impl Store for MemoryStore {
    fn commit(
        &self,
        units: &[Unit],
    ) -> impl Future<Output = Result<Vec<Result<EventId, Conflict>>, StoreError>> + Send {
        let mut state = self.0.lock();
        ready(Ok(units.iter().map(|unit| state.commit(unit)).collect()))
    }

    fn account(&self, subject: &SubjectId) -> Result<Option<(Version, Arc<Account>)>, StoreError> {
        Ok(self.0.lock().accounts.get(subject).cloned())
    }

    fn used(&self, subject: &SubjectId, span: &Span) -> Result<Table, StoreError> {
        let mut table = Table::default();
        for (_, event) in self.0.lock().events() {
            let report = &event.report;
            let counts = report.subject.levels().any(|level| level == *subject);
            if counts && span.contains(report.occurred_at) {
                table
                    .add(&report.provider, report.model.as_ref(), &Totals::of_event(event))
                    .map_err(|error| StoreError(error.to_string()))?;
            }
        }
        Ok(table)
    }

    fn open_reservations(&self, root: &RootId) -> Result<Vec<Arc<Reservation>>, StoreError> {
        let state = self.0.lock();
        let open = state.reservations.values().filter(|reservation| {
            reservation.outcome == Outcome::Open && reservation.call.subject.root() == *root
        });
        Ok(open.cloned().collect())
    }

    fn reservation(&self, id: ReservationId) -> Result<Option<Arc<Reservation>>, StoreError> {
        Ok(self.0.lock().reservations.get(&id).cloned())
    }

    fn change(&self, id: EventId) -> Result<Option<Change>, StoreError> {
        let state = self.0.lock();
        let mut units = (0..).zip(&state.units);
        let found = units.find(|(block, _)| *block == id.block && id.index == 0);
        Ok(found.map(|(_, (_, change, _))| change.clone()))
    }

    fn blocks(&self) -> Range<u64> {
        0..self.0.lock().units.len() as u64
    }

    fn block(&self, number: u64) -> Result<Vec<u8>, StoreError> {
        let state = self.0.lock();
        let mut units = (0..).zip(&state.units);
        let found = units.find(|(block, _)| *block == number);
        let (_, (at, change, mark)) =
            found.ok_or_else(|| StoreError(format!("block {number} is missing")))?;
        Ok([vec![block::FORMAT], block::encode(*at, change, *mark)?].concat())
    }

    fn events_of(&self, block: u64) -> Result<Vec<(EventId, Arc<Event>)>, StoreError> {
        let id = EventId { block, index: 0 };
        Ok(self.event(id)?.into_iter().map(|event| (id, event)).collect())
    }

    fn event_by_key(
        &self,
        subject: &SubjectPath,
        key: &EventKey,
    ) -> Result<Option<EventId>, StoreError> {
        let state = self.0.lock();
        let found = state.events().find(|(_, event)| {
            event.report.subject == *subject && event.report.key.as_ref() == Some(key)
        });
        Ok(found.map(|(block, _)| EventId { block, index: 0 }))
    }

    fn marked(&self, key: &Fingerprint, since: Timestamp) -> Result<Vec<Marked>, StoreError> {
        let state = self.0.lock();
        let marked = (0..).zip(&state.units).filter_map(|(block, (at, _, mark))| {
            let (mark, unit) = ((*mark)?, EventId { block, index: 0 });
            (mark.once.key == *key && *at >= since).then_some(Marked { mark, at: *at, unit })
        });
        Ok(marked.collect())
    }

    fn last_instant(&self) -> Timestamp {
        let state = self.0.lock();
        let last = state.units.iter().map(|(at, ..)| *at).max();
        last.unwrap_or(Timestamp::EPOCH)
    }

    fn maintain(&self, forget: &Forget) -> Result<(), StoreError> {
        let mut state = self.0.lock();
        state
            .reservations
            .retain(|_, reservation| reservation.created_at >= forget.reservations_before);
        Ok(())
    }
}
