//! What is found from a level: its log, and its alerts. Both are elements of runs, whose keys are
//! a hash of the level and then what puts them in order.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use tollgate_domain::{SubjectId, Timestamp};

use super::SledStore;
use crate::alert::AlertId;
use crate::event::EventId;
use crate::store::{Logged, ProviderTag, Rank, StoreError};

pub type LevelKey = [u8; 16];

/// How many bytes of a level's hash a key of its log begins with: two levels of a million share
/// them once in five hundred such ledgers, and then see a page of their logs begin a little early
/// or late.
pub const LOG_HASH: usize = size_of::<LevelKey>() - Rank::BYTES;

/// The same of its alerts.
pub const ALERT_HASH: usize = size_of::<LevelKey>() - AlertId::BYTES;

/// Blocks are too small to have more places.
const INDEX_BITS: u32 = 9;

impl SledStore {
    pub(super) fn find_logged(
        &self,
        subject: &SubjectId,
        before: Option<Rank>,
        limit: usize,
    ) -> Result<Vec<Logged>, StoreError> {
        let mut found = Vec::new();
        for overlay in self.memory.read().overlays() {
            found.extend(overlay.logged(subject, before).take(limit));
        }
        // What leaves memory was written before: looking there second finds it.
        found.extend(self.rows.logged(subject, before, limit)?);
        found.sort_unstable_by_key(|logged| Reverse(logged.rank));
        found.dedup_by_key(|logged| logged.rank);
        found.truncate(limit);
        Ok(found)
    }

    pub(super) fn find_alerts(
        &self,
        subject: &SubjectId,
    ) -> Result<Vec<(AlertId, Option<Timestamp>)>, StoreError> {
        let mut found = BTreeMap::<_, Option<Timestamp>>::new();
        let mut add = |(alert, read_at)| {
            let known = found.entry(alert).or_default();
            *known = (*known).max(read_at);
        };
        for overlay in self.memory.read().overlays() {
            overlay.alerts(subject).for_each(&mut add);
        }
        self.rows.alerts(subject)?.into_iter().for_each(add);
        Ok(found.into_iter().collect())
    }
}

pub fn log_key(subject: &SubjectId, rank: Rank) -> LevelKey {
    key::<LOG_HASH>(subject, rank.bytes())
}

/// What the log says of an event, besides where it stands.
pub fn log_value(logged: &Logged) -> u64 {
    let Logged { id, failed, provider, .. } = logged;
    let place = id.block << INDEX_BITS | u64::from(id.index);
    (place << 1 | u64::from(*failed)) << ProviderTag::BITS | provider.bits()
}

/// The event that a key and its value stand for.
pub fn logged(key: &LevelKey, value: u64) -> Logged {
    let mut rank = *Rank::FIRST.bytes();
    rank.copy_from_slice(&key[LOG_HASH..]);
    let (place, failed) = (value >> ProviderTag::BITS >> 1, value >> ProviderTag::BITS & 1 == 1);
    let index = (place & ((1 << INDEX_BITS) - 1)) as u32;
    let id = EventId { block: place >> INDEX_BITS, index };
    Logged { rank: Rank::of_bytes(rank), id, failed, provider: ProviderTag::of_bits(value) }
}

pub fn alert_key(subject: &SubjectId, alert: AlertId) -> LevelKey {
    key::<ALERT_HASH>(subject, &alert.number().to_be_bytes())
}

/// Zero for an alert that nobody has read.
pub fn alert_value(read_at: Option<Timestamp>) -> u64 {
    read_at.map_or(0, |at| u64::try_from(at.micros()).unwrap_or(0).max(1))
}

/// The alert that a key and its value stand for, and when it was read.
pub fn alert(key: &LevelKey, value: u64) -> (AlertId, Option<Timestamp>) {
    let mut number = [0; AlertId::BYTES];
    number.copy_from_slice(&key[ALERT_HASH..]);
    let read_at = i64::try_from(value).ok().filter(|micros| *micros > 0);
    (AlertId::of_number(u64::from_be_bytes(number)), read_at.map(Timestamp::from_micros))
}

/// What the keys of a level begin with.
pub fn hash<const BYTES: usize>(subject: &SubjectId) -> [u8; BYTES] {
    let mut hash = [0; BYTES];
    hash.copy_from_slice(&Sha256::digest(subject.as_str())[..BYTES]);
    hash
}

fn key<const HASH: usize>(subject: &SubjectId, order: &[u8]) -> LevelKey {
    let mut key = LevelKey::default();
    key[..HASH].copy_from_slice(&hash::<HASH>(subject));
    key[HASH..].copy_from_slice(order);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_log_says_of_an_event_is_read_as_it_was_written() {
        let subject = "acme/ann".parse().unwrap();
        let last = EventId { block: (1 << 40) - 1, index: (1 << INDEX_BITS) - 1 };
        for (id, failed) in [(last, true), (EventId { block: 1, index: 0 }, false)] {
            let provider = ProviderTag::of(&"gemini".parse().unwrap());
            let written = Logged { rank: Rank::of_bytes([7; Rank::BYTES]), id, failed, provider };
            let key = log_key(&subject, written.rank);
            assert_eq!(logged(&key, log_value(&written)), written);
        }
    }

    #[test]
    fn an_alert_is_unread_until_it_was_read() {
        let (subject, id) = ("ann".parse().unwrap(), AlertId::new(70_000, 3));
        for read_at in
            [None, Some(Timestamp::from_micros(1)), Some(Timestamp::from_micros(1 << 60))]
        {
            let key = alert_key(&subject, id);
            assert_eq!(alert(&key, alert_value(read_at)), (id, read_at));
        }
    }
}
