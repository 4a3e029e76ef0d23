//! Keys: which row is which.

use tollgate_domain::{ChannelKind, PeriodId, SubjectId, Timestamp};

use crate::alert::AlertId;
use crate::delivery::{DeliveryId, DeliveryState};
use crate::event::{EventId, Fingerprint};
use crate::store::Marked;
use crate::store::sled::overlay::{Day, Quarter};

/// A row's key: its kind, then what names it. Rows but blocks are cut into parts of at most
/// [`VALUE_BYTES_MAX`](super::VALUE_BYTES_MAX), numbered by a last byte.
pub struct Key(pub Vec<u8>);

impl Key {
    pub fn new(kind: u8, name: &[&[u8]]) -> Self {
        let mut key = vec![kind];
        name.iter().for_each(|part| key.extend_from_slice(part));
        Self(key)
    }

    pub fn block(number: u64) -> Self {
        Self::new(b'B', &[&number.to_be_bytes()])
    }

    /// A block of refusals.
    pub fn refusals(number: u64) -> Self {
        Self::new(b'F', &[&number.to_be_bytes()])
    }

    /// That a level was refused something in a block.
    pub fn refused(subject: &SubjectId, block: u64) -> Self {
        Self::new(b'f', &[subject.as_str().as_bytes(), &[0], &block.to_be_bytes()])
    }

    /// How often a level was refused something in a billing period.
    pub fn refusal_counts(subject: &SubjectId, period: &PeriodId) -> Self {
        Self::new(b'N', &[subject.as_str().as_bytes(), &[0], period.as_str().as_bytes()])
    }

    pub fn checkpoint() -> Self {
        Self::new(b'C', &[])
    }

    pub fn account(subject: &SubjectId) -> Self {
        Self::new(b'A', &[subject.as_str().as_bytes()])
    }

    /// Subjects contain no control characters: none is a prefix of another with its zero.
    pub fn day(subject: &SubjectId, day: Day) -> Self {
        Self::new(b'D', &[subject.as_str().as_bytes(), &[0], &in_order(day)])
    }

    /// A month of a level's calendar, by its beginning.
    pub fn month(subject: &SubjectId, start: Timestamp) -> Self {
        Self::new(b'S', &[subject.as_str().as_bytes(), &[0], &in_order(start.micros())])
    }

    /// The corrections of an event.
    pub fn corrections(event: EventId) -> Self {
        Self::new(b'K', &[&event.block.to_be_bytes(), &event.index.to_be_bytes()])
    }

    /// A closed billing period, by its end.
    pub fn entry(subject: &SubjectId, end: Timestamp) -> Self {
        Self::new(b'H', &[subject.as_str().as_bytes(), &[0], &in_order(end.micros())])
    }

    /// What a level's subscription was changed to, by the unit that did.
    pub fn subscription(subject: &SubjectId, unit: EventId) -> Self {
        let (block, index) = (unit.block.to_be_bytes(), unit.index.to_be_bytes());
        Self::new(b'U', &[subject.as_str().as_bytes(), &[0], &block, &index])
    }

    /// Where a level's alerts go since a unit, or those of everybody else: subjects are not empty.
    pub fn preferences(owner: Option<&SubjectId>, unit: EventId) -> Self {
        let (block, index) = (unit.block.to_be_bytes(), unit.index.to_be_bytes());
        Self::new(b'V', &[&Self::preferences_of(owner).0[1..], &block, &index])
    }

    pub fn preferences_of(owner: Option<&SubjectId>) -> Self {
        Self::new(b'V', &[owner.map_or("", SubjectId::as_str).as_bytes(), &[0]])
    }

    pub fn delivery(id: DeliveryId) -> Self {
        Self::new(b'Q', &[&Self::deliveries_of(id.alert).0[1..], &id.ordinal.to_be_bytes()])
    }

    pub fn deliveries_of(alert: AlertId) -> Self {
        Self::new(b'Q', &[&alert.number().to_be_bytes()])
    }

    /// A delivery among those that are as it is.
    pub fn delivery_in(state: DeliveryState, id: DeliveryId) -> Self {
        Self::new(b'X', &[&[state as u8], &Self::delivery(id).0[1..]])
    }

    /// A delivery among the pending ones of its kind, in the order of time.
    pub fn delivery_due(kind: ChannelKind, at: Timestamp, id: DeliveryId) -> Self {
        Self::new(b'q', &[&[kind as u8], &in_order(at.micros()), &Self::delivery(id).0[1..]])
    }

    /// When a level's billing period is due to be closed, in the order of time.
    pub fn due(at: Timestamp, subject: &SubjectId) -> Self {
        Self::new(b'P', &[&in_order(at.micros()), subject.as_str().as_bytes()])
    }

    /// What is kept under a name, piece by piece. Names contain no zero.
    pub fn shelved(name: &str, piece: u32) -> Self {
        Self::new(b'T', &[name.as_bytes(), &[0], &piece.to_be_bytes()])
    }

    /// The marks of a day, so that those of days gone by are forgotten without being looked at.
    pub fn marks_on(day: Day) -> Self {
        Self::new(b'M', &[&in_order(day)])
    }

    pub fn marks_under(key: &Fingerprint, day: Day) -> Self {
        Self::new(b'M', &[&in_order(day), key.bytes()])
    }

    pub fn mark(marked: &Marked) -> Self {
        let (day, key) = (Quarter::of(marked.at).day(), marked.mark.once.key);
        Self::new(b'M', &[&in_order(day), key.bytes(), &marked.mark.part.to_be_bytes()])
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn part(&self, number: u8) -> Vec<u8> {
        [&self.0[..], &[number]].concat()
    }
}

/// A number as bytes that sort like it.
pub fn in_order(number: i64) -> [u8; 8] {
    (number.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The number that bytes begin with which sort like it.
pub fn in_order_at(bytes: &[u8]) -> Option<i64> {
    let number = u64::from_be_bytes(*bytes.first_chunk()?);
    Some((number ^ (1 << 63)).cast_signed())
}
