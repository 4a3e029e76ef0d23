//! What the latest blocks add up to, in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tollgate_domain::{EventKey, RootId, SubjectId, SubjectPath, Timestamp};

use crate::account::Account;
use crate::event::{Event, EventId, Fingerprint};
use crate::reservation::{Reservation, ReservationId};
use crate::store::{AccountChange, Change, Mark, Marked, Version};
use crate::totals::{Table, Totals};

const QUARTER_MICROS: i64 = 15 * 60 * 1_000_000;
const QUARTERS_A_DAY: i64 = 24 * 4;

/// A quarter of an hour, counted from 1970 in UTC. Every time zone's days begin with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Quarter(i64);

/// A day, counted from 1970 in UTC.
pub type Day = i64;

/// What was used in the quarters of a day.
pub type Quarters = BTreeMap<Quarter, Table>;

/// The hash of a subject and its caller's name for an event.
pub type EventName = [u8; 16];

#[derive(Default)]
pub struct Overlay {
    last_block: u64,
    pub accounts: HashMap<SubjectId, (Version, Arc<Account>)>,
    pub days: HashMap<SubjectId, BTreeMap<Day, Quarters>>,
    /// By the hash of their root.
    pub reservations: BTreeMap<([u8; 4], ReservationId), Arc<Reservation>>,
    pub events: HashMap<EventName, EventId>,
    /// By their keys and parts.
    pub marks: BTreeMap<(Fingerprint, u32), Marked>,
}

impl Quarter {
    pub fn of(at: Timestamp) -> Self {
        Self(at.micros().div_euclid(QUARTER_MICROS))
    }

    pub fn first_of(day: Day) -> Self {
        Self(day.saturating_mul(QUARTERS_A_DAY))
    }

    pub fn start(self) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_mul(QUARTER_MICROS))
    }

    pub fn day(self) -> Day {
        self.0.div_euclid(QUARTERS_A_DAY)
    }

    pub fn last_day_before(self) -> Day {
        Self(self.0.saturating_sub(1)).day()
    }
}

pub fn event_name(subject: &SubjectPath, key: &EventKey) -> EventName {
    let digest = Sha256::new()
        .chain_update(subject.as_str())
        .chain_update([0])
        .chain_update(key.as_str())
        .finalize();
    let mut name = EventName::default();
    name.copy_from_slice(&digest[..16]);
    name
}

impl Overlay {
    /// Takes in a committed unit, save for its days: `accounts` are its new states.
    pub fn absorb(&mut self, id: EventId, accounts: &[AccountChange], change: &Change) {
        self.last_block = id.block;
        for AccountChange { subject, read_at, account } in accounts {
            self.accounts.insert(subject.clone(), (read_at + 1, account.clone()));
        }
        if let Some(reservation) = change.reservation(id) {
            let key = (reservation.id.root_part(), reservation.id);
            self.reservations.insert(key, reservation);
        }
        if let Some(event) = change.event()
            && let Some(key) = &event.report.key
        {
            self.events.insert(event_name(&event.report.subject, key), id);
        }
    }

    /// Takes in the mark of a committed unit, if it has one.
    pub fn mark(&mut self, mark: Option<Mark>, at: Timestamp, unit: EventId) {
        if let Some(mark) = mark {
            self.marks.insert((mark.once.key, mark.part), Marked { mark, at, unit });
        }
    }

    /// Adds an event to the day of one of its levels.
    pub fn add_to_day(&mut self, subject: SubjectId, event: &Event) {
        let report = &event.report;
        let quarter = Quarter::of(report.occurred_at);
        let day = self.days.entry(subject).or_default().entry(quarter.day()).or_default();
        let table = day.entry(quarter).or_default();
        // No larger than the account's own sum, which was checked before the commit.
        let _ = table.add(&report.provider, report.model.as_ref(), &Totals::of_event(event));
    }

    pub fn is_empty(&self) -> bool {
        self.last_block == 0
    }

    pub fn last_block(&self) -> u64 {
        self.last_block
    }

    pub fn account(&self, subject: &SubjectId) -> Option<(Version, Arc<Account>)> {
        self.accounts.get(subject).cloned()
    }

    pub fn days(&self, subject: &SubjectId) -> impl Iterator<Item = (Day, &Quarters)> {
        self.days.get(subject).into_iter().flatten().map(|(day, quarters)| (*day, quarters))
    }

    pub fn reservation(&self, id: ReservationId) -> Option<Arc<Reservation>> {
        self.reservations.get(&(id.root_part(), id)).cloned()
    }

    /// All reservations beneath a root; some beneath another of the same hash, too.
    pub fn reservations_of(&self, root: &RootId) -> impl Iterator<Item = &Arc<Reservation>> {
        let hash = ReservationId::root_hash(root);
        let (first, last) = (ReservationId::FIRST, ReservationId::LAST);
        self.reservations.range((hash, first)..=(hash, last)).map(|(_, reservation)| reservation)
    }

    pub fn marked(&self, key: &Fingerprint) -> impl Iterator<Item = &Marked> {
        self.marks.range((*key, 0)..=(*key, u32::MAX)).map(|(_, marked)| marked)
    }

    pub fn event(&self, name: &EventName) -> Option<EventId> {
        self.events.get(name).copied()
    }
}
