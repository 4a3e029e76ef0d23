//! The outbox: where alerts go, and what has become of them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use tollgate_domain::{ChannelKind, Preferences, SubjectId, Timestamp};

use super::SledStore;
use crate::alert::AlertId;
use crate::delivery::{Delivery, DeliveryFilter, DeliveryId, DeliveryState, Listed};
use crate::event::EventId;
use crate::outbox::{self, Before};
use crate::store::{Change, StoreError};

/// What is to be looked for before no unit in particular.
const NOW: EventId = EventId { block: u64::MAX, index: u32::MAX };

/// What units change of the outbox.
#[derive(Debug, Default)]
pub struct Outbox {
    /// By whose they are, and since which unit.
    pub preferences: BTreeMap<(Option<SubjectId>, EventId), Option<Arc<Preferences>>>,
    pub deliveries: BTreeMap<DeliveryId, Arc<Delivery>>,
    /// How many alerts the last block has raised so far.
    raised: (u64, usize),
}

impl Outbox {
    /// An empty one that goes on where this one ends.
    pub fn next(&self) -> Self {
        Self { raised: self.raised, ..Self::default() }
    }

    pub fn extend(&mut self, next: Self) {
        self.preferences.extend(next.preferences);
        self.deliveries.extend(next.deliveries);
        self.raised = next.raised;
    }

    fn preferences_before(
        &self,
        owner: Option<&SubjectId>,
        unit: EventId,
    ) -> Option<(EventId, Option<Arc<Preferences>>)> {
        let of_owner = |unit| (owner.cloned(), unit);
        let first = EventId { block: 0, index: 0 };
        let found = self.preferences.range(of_owner(first)..of_owner(unit)).next_back();
        found.map(|((_, since), preferences)| (*since, preferences.clone()))
    }
}

/// What stands before a unit that is taken in now, and may have been taken in by rows before.
struct Standing<'a> {
    store: &'a SledStore,
    /// What units of the same batch have changed.
    batch: &'a Outbox,
    unit: EventId,
}

impl Before for Standing<'_> {
    fn preferences(
        &self,
        owner: Option<&SubjectId>,
    ) -> Result<Option<Arc<Preferences>>, StoreError> {
        let in_batch = self.batch.preferences_before(owner, self.unit);
        match in_batch {
            Some((_, preferences)) => Ok(preferences),
            None => self.store.preferences_before(owner, self.unit),
        }
    }

    fn delivery(&self, id: DeliveryId) -> Result<Option<Arc<Delivery>>, StoreError> {
        if let Some(delivery) = self.batch.deliveries.get(&id) {
            return Ok(Some(delivery.clone()));
        }
        if let Some(delivery) = self.store.delivery_in_memory(id) {
            return Ok(Some(delivery));
        }
        let row = self.store.rows.delivery(id)?;
        Ok(row.filter(|(as_of, _)| *as_of < self.unit.block).map(|(_, delivery)| delivery))
    }
}

impl SledStore {
    /// Takes what a unit changes of the outbox into a batch's part of it.
    pub(super) fn add_to_outbox(
        &self,
        batch: &mut Outbox,
        unit: EventId,
        at: Timestamp,
        change: &Change,
    ) -> Result<(), StoreError> {
        let raised = change.raised().len();
        let is_progress = matches!(change, Change::Delivered(_));
        if raised > 0 || is_progress {
            if batch.raised.0 != unit.block {
                batch.raised = (unit.block, 0);
            }
            let standing = Standing { store: self, batch, unit };
            let changed = outbox::changed(&standing, unit, at, change, batch.raised.1)?;
            batch.raised.1 += raised;
            for (id, delivery) in changed {
                // A row that is ahead of what is replayed has what the alert made, and more.
                if is_progress || self.rows.delivery(id)?.is_none() {
                    batch.deliveries.insert(id, delivery);
                }
            }
        }
        if let Change::Preferred { owner, preferences } = change {
            batch.preferences.insert((owner.clone(), unit), preferences.clone());
        }
        Ok(())
    }

    pub(super) fn preferences_of(
        &self,
        owner: Option<&SubjectId>,
    ) -> Result<Option<Arc<Preferences>>, StoreError> {
        self.preferences_before(owner, NOW)
    }

    pub(super) fn find_delivery(
        &self,
        id: DeliveryId,
    ) -> Result<Option<Arc<Delivery>>, StoreError> {
        match self.delivery_in_memory(id) {
            Some(found) => Ok(Some(found)),
            // What leaves memory was written before: looking there second finds it.
            None => Ok(self.rows.delivery(id)?.map(|(_, delivery)| delivery)),
        }
    }

    pub(super) fn find_deliveries_of(&self, alert: AlertId) -> Result<Vec<Listed>, StoreError> {
        let mut found = self.deliveries_in_memory(DeliveryId::all_of(alert));
        for id in self.rows.deliveries_of(alert) {
            let id = id?;
            if !found.contains_key(&id)
                && let Some((_, delivery)) = self.rows.delivery(id)?
            {
                found.insert(id, delivery);
            }
        }
        Ok(found.into_iter().collect())
    }

    pub(super) fn find_deliveries(
        &self,
        which: &DeliveryFilter,
    ) -> Result<Vec<Listed>, StoreError> {
        if let Some(subject) = &which.subject {
            return self.find_deliveries_about(subject, which);
        }
        let in_memory = self.deliveries_in_memory(DeliveryId::FIRST..=DeliveryId::LAST);
        let taken = |(id, delivery): &(&DeliveryId, &Arc<Delivery>)| which.takes(**id, delivery);
        let mut found: BTreeMap<_, _> =
            in_memory.iter().filter(taken).map(|(id, own)| (*id, own.clone())).collect();
        let mut from_rows = 0;
        for id in self.rows.deliveries(which.state, which.before) {
            let id = id?;
            if from_rows == which.limit {
                break;
            }
            if in_memory.contains_key(&id) {
                continue;
            }
            let row = self.rows.delivery(id)?.map(|(_, delivery)| delivery);
            if let Some(delivery) = row.filter(|delivery| which.takes(id, delivery)) {
                found.insert(id, delivery);
                from_rows += 1;
            }
        }
        Ok(found.into_iter().rev().take(which.limit).collect())
    }

    /// Those of a level's alerts, of which there are few.
    fn find_deliveries_about(
        &self,
        subject: &SubjectId,
        which: &DeliveryFilter,
    ) -> Result<Vec<Listed>, StoreError> {
        let mut found = Vec::new();
        for (alert, _) in self.find_alerts(subject)?.into_iter().rev() {
            if found.len() >= which.limit {
                break;
            }
            if which.before.is_some_and(|before| before.alert < alert) {
                continue;
            }
            let of_alert = self.find_deliveries_of(alert)?.into_iter().rev();
            found.extend(of_alert.filter(|(id, delivery)| which.takes(*id, delivery)));
        }
        found.truncate(which.limit);
        Ok(found)
    }

    pub(super) fn find_deliveries_due(
        &self,
        kind: ChannelKind,
        now: Timestamp,
        limit: usize,
        is_wanted: &dyn Fn(DeliveryId, &Delivery) -> bool,
    ) -> Result<Vec<Listed>, StoreError> {
        let in_memory = self.deliveries_in_memory(DeliveryId::FIRST..=DeliveryId::LAST);
        let is_due = |id: DeliveryId, delivery: &Delivery| {
            delivery.state == DeliveryState::Pending
                && delivery.channel.kind() == kind
                && delivery.due_at <= now
                && is_wanted(id, delivery)
        };
        let due = in_memory.iter().filter(|(id, delivery)| is_due(**id, delivery));
        let mut found: Vec<Listed> = due.map(|(id, delivery)| (*id, delivery.clone())).collect();
        let mut from_rows = 0;
        for id in self.rows.deliveries_due(kind, now) {
            let id = id?;
            if from_rows == limit {
                break;
            }
            if in_memory.contains_key(&id) {
                continue;
            }
            let row = self.rows.delivery(id)?.map(|(_, delivery)| delivery);
            if let Some(delivery) = row.filter(|delivery| is_due(id, delivery)) {
                found.push((id, delivery));
                from_rows += 1;
            }
        }
        found.sort_by_key(|(id, delivery)| (delivery.due_at, *id));
        found.truncate(limit);
        Ok(found)
    }

    fn preferences_before(
        &self,
        owner: Option<&SubjectId>,
        unit: EventId,
    ) -> Result<Option<Arc<Preferences>>, StoreError> {
        let in_memory = {
            let memory = self.memory.read();
            let found = memory.overlays().filter_map(|o| o.outbox.preferences_before(owner, unit));
            found.max_by_key(|(since, _)| *since)
        };
        // What leaves memory was written before: looking there second finds it.
        let found = match in_memory {
            Some(found) => Some(found),
            None => self.rows.preferences_before(owner, unit)?,
        };
        Ok(found.and_then(|(_, preferences)| preferences))
    }

    fn delivery_in_memory(&self, id: DeliveryId) -> Option<Arc<Delivery>> {
        let memory = self.memory.read();
        memory.overlays().find_map(|overlay| overlay.outbox.deliveries.get(&id).cloned())
    }

    /// The deliveries that wait for their rows, as they are now.
    fn deliveries_in_memory(
        &self,
        range: RangeInclusive<DeliveryId>,
    ) -> BTreeMap<DeliveryId, Arc<Delivery>> {
        let memory = self.memory.read();
        let mut found = BTreeMap::new();
        for overlay in [memory.condensing.as_deref(), Some(&memory.current)].into_iter().flatten() {
            let some = overlay.outbox.deliveries.range(range.clone());
            found.extend(some.map(|(id, delivery)| (*id, delivery.clone())));
        }
        found
    }
}
