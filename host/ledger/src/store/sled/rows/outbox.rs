//! The outbox: preferences by the units that set them, deliveries, and where those are found: by
//! their state, and the pending ones in the order of time.

use std::ops::Range;
use std::sync::Arc;

use sled::IVec;
use tollgate_domain::{ChannelKind, Preferences, SubjectId, Timestamp};

use super::{Key, RowWriter, Rows, unreadable};
use crate::alert::AlertId;
use crate::delivery::{Delivery, DeliveryId, DeliveryState};
use crate::event::EventId;
use crate::store::StoreError;
use crate::store::sled::outbox::Outbox;

/// A level's preferences since some unit.
pub type Since = (EventId, Option<Arc<Preferences>>);

const ID_BYTES: usize = AlertId::BYTES + size_of::<u16>();

impl Rows {
    /// Writes an overlay's part of the outbox. A delivery and what leads to it are written in one
    /// batch: there is never the one without the other.
    pub(super) fn condense_outbox(
        &self,
        writer: &mut RowWriter<'_>,
        outbox: &Outbox,
        as_of: u64,
    ) -> Result<(), StoreError> {
        for ((owner, unit), preferences) in &outbox.preferences {
            writer.put(&Key::preferences(owner.as_ref(), *unit), preferences)?;
        }
        for (id, delivery) in &outbox.deliveries {
            let before = self.delivery(*id)?;
            for key in before.iter().flat_map(|(_, before)| keys_of_delivery(*id, before)) {
                writer.batch.remove(key.part(0));
            }
            for key in keys_of_delivery(*id, delivery) {
                // The key says it all.
                writer.add(&key, &true)?;
            }
            writer.put(&Key::delivery(*id), &(as_of, delivery))?;
        }
        Ok(())
    }

    /// A level's preferences before a unit.
    pub fn preferences_before(
        &self,
        owner: Option<&SubjectId>,
        unit: EventId,
    ) -> Result<Option<Since>, StoreError> {
        let (first, end) = (Key::preferences_of(owner), Key::preferences(owner, unit));
        let Some(key) = firsts(self.tree.range(first.0.clone()..end.0)).next_back() else {
            return Ok(None);
        };
        let key = key?;
        let bad = || unreadable("the key of preferences");
        let unit = key.0.get(first.0.len()..).and_then(unit_of).ok_or_else(bad)?;
        Ok(self.get(&key)?.map(|preferences| (unit, preferences)))
    }

    /// As of which block, and the delivery.
    pub fn delivery(&self, id: DeliveryId) -> Result<Option<(u64, Arc<Delivery>)>, StoreError> {
        self.get(&Key::delivery(id))
    }

    pub fn deliveries_of(
        &self,
        alert: AlertId,
    ) -> impl Iterator<Item = Result<DeliveryId, StoreError>> {
        ids(firsts(self.tree.scan_prefix(Key::deliveries_of(alert).0)))
    }

    /// Those of a state, or all, before one; the newest first.
    pub fn deliveries(
        &self,
        state: Option<DeliveryState>,
        before: Option<DeliveryId>,
    ) -> impl Iterator<Item = Result<DeliveryId, StoreError>> {
        let key = |id| match state {
            None => Key::delivery(id),
            Some(state) => Key::delivery_in(state, id),
        };
        let range = key(DeliveryId::FIRST).0..key(before.unwrap_or(DeliveryId::LAST)).0;
        ids(firsts(self.tree.range(range)).rev())
    }

    /// The pending ones of a kind that are due, the longest due first.
    pub fn deliveries_due(
        &self,
        kind: ChannelKind,
        now: Timestamp,
    ) -> impl Iterator<Item = Result<DeliveryId, StoreError>> {
        ids(firsts(self.tree.range(due_until(kind, now))))
    }

    /// How many deliveries there are, and how many keys lead to some.
    pub fn count_of_outbox(&self) -> Result<[u64; 2], StoreError> {
        let count = |kind| self.keys(kind).try_fold(0, |count, key| key.map(|_| count + 1));
        Ok([count(b'Q')?, count(b'X')? + count(b'q')?])
    }
}

/// The keys by which a delivery is found.
pub fn keys_of_delivery(id: DeliveryId, delivery: &Delivery) -> impl Iterator<Item = Key> {
    let kind = delivery.channel.kind();
    let due = (delivery.state == DeliveryState::Pending)
        .then(|| Key::delivery_due(kind, delivery.due_at, id));
    [Key::delivery_in(delivery.state, id)].into_iter().chain(due)
}

fn due_until(kind: ChannelKind, now: Timestamp) -> Range<Vec<u8>> {
    let first = |at| Key::delivery_due(kind, at, DeliveryId::FIRST).0;
    let end = Timestamp::from_micros(now.micros().saturating_add(1));
    first(Timestamp::from_micros(i64::MIN))..first(end)
}

/// The keys of rows, each once, without the number of the part.
fn firsts(rows: sled::Iter) -> impl DoubleEndedIterator<Item = Result<Key, StoreError>> {
    rows.keys().filter_map(|key: sled::Result<IVec>| match key {
        Ok(key) => key.strip_suffix(&[0]).map(|key| Ok(Key(key.to_vec()))),
        Err(error) => Some(Err(error.into())),
    })
}

/// The deliveries that keys end with.
fn ids(
    keys: impl Iterator<Item = Result<Key, StoreError>>,
) -> impl Iterator<Item = Result<DeliveryId, StoreError>> {
    keys.map(|key| {
        let key = key?;
        let id = key.0.last_chunk::<ID_BYTES>().and_then(|id| {
            let (alert, ordinal) = id.split_first_chunk()?;
            let alert = AlertId::of_number(u64::from_be_bytes(*alert));
            Some(DeliveryId { alert, ordinal: u16::from_be_bytes(*ordinal.first_chunk()?) })
        });
        id.ok_or_else(|| unreadable("the key of a delivery"))
    })
}

fn unit_of(bytes: &[u8]) -> Option<EventId> {
    let (block, index) = bytes.split_first_chunk()?;
    let index = u32::from_be_bytes(*index.first_chunk()?);
    Some(EventId { block: u64::from_be_bytes(*block), index })
}
