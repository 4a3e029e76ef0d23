//! The reference: everything in memory, nothing clever.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::future::{Future, ready};
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use tollgate_domain::{
    ChannelKind, EventKey, PeriodId, Preferences, RootId, Span, SubjectId, SubjectPath,
    Subscription, Timestamp,
};

use super::{
    Change, Conflict, Forget, Logged, Mark, Marked, Rank, RefusalFilter, Store, StoreError, Unit,
    Version, block,
};
use crate::account::Account;
use crate::alert::AlertId;
use crate::billing::BillingEntry;
use crate::correction::Correction;
use crate::delivery::{Delivery, DeliveryFilter, DeliveryId, DeliveryState, Listed};
use crate::event::{Event, EventId, Fingerprint};
use crate::outbox;
use crate::refusal::{Refusal, RefusalCounts, RefusalId};
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
    refusals: Vec<(RefusalId, Arc<Refusal>)>,
    refused: usize,
    refusal_counts: HashMap<SubjectId, BTreeMap<PeriodId, RefusalCounts>>,
    shelf: BTreeMap<String, Vec<u8>>,
    preferences: HashMap<Option<SubjectId>, Arc<Preferences>>,
    deliveries: BTreeMap<DeliveryId, Arc<Delivery>>,
}

impl State {
    fn commit(&mut self, unit: &Unit) -> Result<EventId, Conflict> {
        if let Change::Refused(refusal) = &unit.change {
            return Ok(self.refuse(refusal));
        }
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
        self.deliver(id, unit);
        self.units.push((unit.at, unit.change.clone(), unit.turn.mark()));
        Ok(id)
    }

    fn refuse(&mut self, refusal: &Arc<Refusal>) -> EventId {
        self.refused += 1;
        let id = EventId { block: self.refused as u64, index: 0 };
        self.refusals.push((id.into(), refusal.clone()));
        for level in refusal.call.subject.levels() {
            let periods = self.refusal_counts.entry(level).or_default();
            periods.entry(refusal.period.clone()).or_default().count(refusal.cause());
        }
        id
    }

    fn deliver(&mut self, id: EventId, unit: &Unit) {
        // Memory does not fail.
        let changed = outbox::changed(self, id, unit.at, &unit.change, 0).unwrap_or_default();
        self.deliveries.extend(changed);
        if let Change::Preferred { owner, preferences } = &unit.change {
            match preferences {
                Some(preferences) => {
                    self.preferences.insert(owner.clone(), preferences.clone());
                }
                None => drop(self.preferences.remove(owner)),
            }
        }
    }

    fn corrections(&self) -> impl Iterator<Item = (EventId, &Arc<Correction>)> {
        (0..).zip(&self.units).filter_map(|(block, (_, change, _))| {
            Some((EventId { block, index: 0 }, change.correction()?))
        })
    }

    fn events(&self) -> impl Iterator<Item = (u64, &Arc<Event>)> {
        (0..).zip(&self.units).filter_map(|(at, (_, change, _))| Some((at, change.event()?)))
    }
}

impl outbox::Before for State {
    fn preferences(
        &self,
        owner: Option<&SubjectId>,
    ) -> Result<Option<Arc<Preferences>>, StoreError> {
        Ok(self.preferences.get(&owner.cloned()).cloned())
    }

    fn delivery(&self, id: DeliveryId) -> Result<Option<Arc<Delivery>>, StoreError> {
        Ok(self.deliveries.get(&id).cloned())
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

    fn any_account(
        &self,
        wanted: &dyn Fn(&SubjectId, &Account) -> bool,
    ) -> Result<bool, StoreError> {
        let state = self.0.lock();
        Ok(state.accounts.iter().any(|(subject, (_, account))| wanted(subject, account)))
    }

    fn used(&self, subject: &SubjectId, span: &Span) -> Result<Table, StoreError> {
        let beneath = |path: &SubjectPath| path.levels().any(|level| level == *subject);
        let mut table = Table::default();
        let state = self.0.lock();
        for (_, event) in state.events() {
            let report = &event.report;
            if beneath(&report.subject) && span.contains(report.occurred_at) {
                let totals = Totals::of_event(event);
                table.add(&report.provider, report.model.as_ref(), &totals)?;
            }
        }
        for (_, correction) in state.corrections() {
            if beneath(&correction.subject) && span.contains(correction.occurred_at) {
                let (provider, model) = (&correction.provider, correction.model.as_ref());
                let [before, after] = correction.totals();
                table.add(provider, model, &after)?;
                table.take(provider, model, &before)?;
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
        Ok(alone(&block::encode(*at, change, *mark)?))
    }

    fn refusals_blocks(&self) -> Result<Range<u64>, StoreError> {
        Ok(1..self.0.lock().refused as u64 + 1)
    }

    fn refusals_block(&self, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let state = self.0.lock();
        let Some((_, refusal)) = state.refusals.iter().find(|(id, _)| id.block == number) else {
            return Ok(None);
        };
        let entry = block::encode(refusal.at(), &Change::Refused(refusal.clone()), None)?;
        Ok(Some(alone(&entry)))
    }

    fn changes_of(&self, block: u64) -> Result<Vec<(EventId, Change)>, StoreError> {
        let id = EventId { block, index: 0 };
        Ok(self.change(id)?.into_iter().map(|change| (id, change)).collect())
    }

    fn logged(
        &self,
        subject: &SubjectId,
        before: Option<Rank>,
        limit: usize,
    ) -> Result<Vec<Logged>, StoreError> {
        let state = self.0.lock();
        let of_level = state
            .events()
            .filter(|(_, event)| event.report.subject.levels().any(|level| level == *subject));
        let mut found: Vec<_> = of_level
            .map(|(block, event)| Logged::of(EventId { block, index: 0 }, event))
            .filter(|logged| before.is_none_or(|before| logged.rank < before))
            .collect();
        found.sort_unstable_by_key(|logged| Reverse(logged.rank));
        found.truncate(limit);
        Ok(found)
    }

    fn alerts(&self, subject: &SubjectId) -> Result<Vec<(AlertId, Option<Timestamp>)>, StoreError> {
        let state = self.0.lock();
        let mut found = BTreeMap::new();
        for (block, (_, change, _)) in (0..).zip(&state.units) {
            let raised = change.raised().iter().enumerate();
            for (ordinal, _) in raised.filter(|(_, raised)| raised.alert.subject == *subject) {
                found.insert(AlertId::new(block, ordinal), None);
            }
            if let Change::AlertRead { subject: own, alert, at } = change
                && own == subject
            {
                found.insert(*alert, Some(*at));
            }
        }
        Ok(found.into_iter().collect())
    }

    fn preferences(
        &self,
        owner: Option<&SubjectId>,
    ) -> Result<Option<Arc<Preferences>>, StoreError> {
        outbox::Before::preferences(&*self.0.lock(), owner)
    }

    fn delivery(&self, id: DeliveryId) -> Result<Option<Arc<Delivery>>, StoreError> {
        outbox::Before::delivery(&*self.0.lock(), id)
    }

    fn deliveries_of(&self, alert: AlertId) -> Result<Vec<Listed>, StoreError> {
        let state = self.0.lock();
        let of_alert = state.deliveries.iter().filter(|(id, _)| id.alert == alert);
        Ok(of_alert.map(|(id, delivery)| (*id, delivery.clone())).collect())
    }

    fn deliveries(&self, which: &DeliveryFilter) -> Result<Vec<Listed>, StoreError> {
        let state = self.0.lock();
        let found = state.deliveries.iter().rev().filter(|(id, own)| which.takes(**id, own));
        Ok(found.take(which.limit).map(|(id, delivery)| (*id, delivery.clone())).collect())
    }

    fn deliveries_due(
        &self,
        kind: ChannelKind,
        now: Timestamp,
        limit: usize,
        is_wanted: &dyn Fn(DeliveryId, &Delivery) -> bool,
    ) -> Result<Vec<Listed>, StoreError> {
        let state = self.0.lock();
        let due = state.deliveries.iter().filter(|(id, delivery)| {
            delivery.state == DeliveryState::Pending
                && delivery.channel.kind() == kind
                && delivery.due_at <= now
                && is_wanted(**id, delivery)
        });
        let mut due: Vec<_> = due.map(|(id, delivery)| (*id, delivery.clone())).collect();
        due.sort_by_key(|(id, delivery)| (delivery.due_at, *id));
        due.truncate(limit);
        Ok(due)
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

    fn corrections_of(&self, event: EventId) -> Result<Vec<EventId>, StoreError> {
        let state = self.0.lock();
        let of = state.corrections().filter(|(_, other)| other.amendment.corrects == event);
        Ok(of.map(|(id, _)| id).collect())
    }

    fn correction_by_key(
        &self,
        subject: &SubjectPath,
        key: &EventKey,
    ) -> Result<Option<EventId>, StoreError> {
        let state = self.0.lock();
        let found = state
            .corrections()
            .find(|(_, other)| other.subject == *subject && other.amendment.key == *key);
        Ok(found.map(|(id, _)| id))
    }

    fn billing_history(&self, subject: &SubjectId) -> Result<Vec<Arc<BillingEntry>>, StoreError> {
        let state = self.0.lock();
        let entries = state.units.iter().filter_map(|(_, change, _)| match change {
            Change::Closed { subject: own, entry } if own == subject => Some(entry.clone()),
            _ => None,
        });
        Ok(entries.collect())
    }

    fn subscriptions(
        &self,
        subject: &SubjectId,
    ) -> Result<Vec<(Timestamp, Subscription)>, StoreError> {
        let state = self.0.lock();
        let changes = state.units.iter().filter_map(|(at, change, _)| match change {
            Change::Subscribed { subject: own, subscription, .. } if own == subject => {
                Some((*at, subscription.clone()))
            }
            _ => None,
        });
        Ok(changes.collect())
    }

    fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<(Timestamp, SubjectId)>, StoreError> {
        let state = self.0.lock();
        let due = state.accounts.iter().filter_map(|(subject, (_, account))| {
            Some((account.due_at(subject).filter(|at| *at <= now)?, subject.clone()))
        });
        Ok(due.take(limit).collect())
    }

    fn forget_due(&self, _: &[(Timestamp, SubjectId)]) -> Result<(), StoreError> {
        // Accounts are asked: there is nothing else to forget.
        Ok(())
    }

    fn refusals(
        &self,
        which: &RefusalFilter,
    ) -> Result<Vec<(RefusalId, Arc<Refusal>)>, StoreError> {
        let state = self.0.lock();
        let found = state.refusals.iter().rev().filter(|(id, refusal)| which.takes(*id, refusal));
        Ok(found.take(which.limit).cloned().collect())
    }

    fn refusal_counts(
        &self,
        subject: &SubjectId,
    ) -> Result<BTreeMap<PeriodId, RefusalCounts>, StoreError> {
        Ok(self.0.lock().refusal_counts.get(subject).cloned().unwrap_or_default())
    }

    fn marked(&self, key: &Fingerprint, since: Timestamp) -> Result<Vec<Marked>, StoreError> {
        let state = self.0.lock();
        let marked = (0..).zip(&state.units).filter_map(|(block, (at, _, mark))| {
            let (mark, unit) = ((*mark)?, EventId { block, index: 0 });
            (mark.once.key == *key && *at >= since).then_some(Marked { mark, at: *at, unit })
        });
        Ok(marked.collect())
    }

    fn shelve(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.0.lock().shelf.entry(name.to_owned()).or_insert_with(|| bytes.to_vec());
        Ok(())
    }

    fn shelved(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.lock().shelf.get(name).cloned())
    }

    fn shelf(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let state = self.0.lock();
        Ok(state.shelf.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
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
        state.refusals.retain(|(_, refusal)| refusal.at() >= forget.refusals_before);
        Ok(())
    }
}

/// A block of one entry.
fn alone(entry: &[u8]) -> Vec<u8> {
    let mut block = block::Builder::default();
    block.push(entry);
    block.finish()
}
