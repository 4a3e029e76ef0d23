//! What the latest blocks add up to, in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{Bound, Range};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tollgate_domain::{
    EventKey, PeriodId, RootId, Span, SubjectId, SubjectPath, Subscription, Timestamp,
};

use super::level::{self, ALERT_HASH, LOG_HASH, LevelKey};
use super::outbox::Outbox;
use crate::account::Account;
use crate::alert::AlertId;
use crate::billing::BillingEntry;
use crate::event::{EventId, Fingerprint};
use crate::refusal::{Refusal, RefusalCounts};
use crate::reservation::{Outcome, Reservation, ReservationId};
use crate::store::{AccountChange, Change, Fact, Logged, Mark, Marked, Rank, Version};
use crate::totals::{Overflow, Table, Totals};

const QUARTER_MICROS: i64 = 15 * 60 * 1_000_000;
const QUARTERS_A_DAY: i64 = 24 * 4;

/// A quarter of an hour, counted from 1970 in UTC. Every time zone's days begin with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Quarter(i64);

/// A day, counted from 1970 in UTC.
pub type Day = i64;

/// What was used in the quarters of a day. A map has room for a dozen, and tables are large: most
/// days of most subjects have one.
pub type Quarters = BTreeMap<Quarter, Box<Table>>;

/// What was used in a quarter, and what corrections say was not: sums of both, since the one may
/// lie in an earlier overlay than the other.
#[derive(Debug, Default)]
pub struct Used {
    pub added: Table,
    pub taken: Option<Box<Table>>,
}

/// What was used on a level, in the order of quarters. Most levels of most overlays have one.
#[derive(Debug, Default)]
pub struct Uses(Vec<(Quarter, Box<Used>)>);

/// The last blocks that something contains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    pub block: u64,
    pub refusals: u64,
}

/// The hash of a subject and its caller's name for an event, or for a correction.
pub type EventName = [u8; 16];

/// A reservation as it has become.
pub struct Changed {
    /// The place of what changed it last.
    pub unit: EventId,
    pub reservation: Arc<Reservation>,
    /// Whether nothing says of it yet that it is held, save what is in memory.
    pub is_new: bool,
}

#[derive(Default)]
pub struct Overlay {
    last: Last,
    is_changed: bool,
    pub accounts: HashMap<SubjectId, (Version, Arc<Account>)>,
    pub uses: HashMap<SubjectId, Uses>,
    /// Levels whose calendar may have changed.
    pub subscribed: BTreeMap<SubjectId, BTreeMap<EventId, (Timestamp, Subscription)>>,
    /// By the hash of their root.
    pub reservations: BTreeMap<([u8; 4], ReservationId), Changed>,
    pub events: HashMap<EventName, EventId>,
    /// The corrections of each event, new ones only.
    pub corrections: HashMap<EventId, Vec<EventId>>,
    /// By the level and the end of the period.
    pub history: BTreeMap<(SubjectId, Timestamp), Arc<BillingEntry>>,
    /// When levels' billing periods are due to be closed, where that has changed.
    pub due: BTreeSet<(Timestamp, SubjectId)>,
    /// The blocks in which levels were refused something.
    pub refused: BTreeSet<(SubjectId, u64)>,
    pub refusal_counts: BTreeMap<(SubjectId, PeriodId), RefusalCounts>,
    /// By their keys and parts.
    pub marks: BTreeMap<(Fingerprint, u32), Marked>,
    /// The lines of all levels' logs.
    pub logs: BTreeMap<LevelKey, u64>,
    /// The alerts of all levels; what is not zero was read.
    pub alerts: BTreeMap<LevelKey, u64>,
    pub outbox: Outbox,
    /// How many alerts the last block has raised so far.
    ordinals: (u64, usize),
}

impl Quarter {
    const LAST: Self = Self(i64::MAX);

    /// Those of a span.
    pub fn all_of(span: &Span) -> Range<Self> {
        Self::of(span.start)..span.end.map_or(Self::LAST, Self::of)
    }

    pub fn all_of_day(day: Day) -> Range<Self> {
        Self::first_of(day)..Self::first_of(day.saturating_add(1))
    }

    pub fn of(at: Timestamp) -> Self {
        Self(at.micros().div_euclid(QUARTER_MICROS))
    }

    pub fn first_of(day: Day) -> Self {
        Self(day.saturating_mul(QUARTERS_A_DAY))
    }

    pub fn last_of(day: Day) -> Self {
        Self(day.saturating_mul(QUARTERS_A_DAY).saturating_add(QUARTERS_A_DAY - 1))
    }

    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
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
    name(subject, 0, key)
}

pub fn correction_name(subject: &SubjectPath, key: &EventKey) -> EventName {
    name(subject, 1, key)
}

/// Subjects contain no control characters: what `kind` of thing it names keeps names apart.
fn name(subject: &SubjectPath, kind: u8, key: &EventKey) -> EventName {
    let digest = Sha256::new()
        .chain_update(subject.as_str())
        .chain_update([kind])
        .chain_update(key.as_str())
        .finalize();
    let mut name = EventName::default();
    name.copy_from_slice(&digest[..16]);
    name
}

impl Used {
    /// Brings a sum to what it is with this.
    pub fn apply(&self, sum: &mut Table) -> Result<(), Overflow> {
        sum.add_all(&self.added)?;
        self.taken.as_ref().map_or(Ok(()), |taken| sum.take_all(taken))
    }
}

impl Uses {
    fn at(&mut self, quarter: Quarter) -> &mut Used {
        let found = self.0.binary_search_by_key(&quarter, |(quarter, _)| *quarter);
        let at = found.unwrap_or_else(|at| {
            self.0.reserve_exact(usize::from(self.0.is_empty()));
            self.0.insert(at, (quarter, Box::default()));
            at
        });
        &mut self.0[at].1
    }

    /// What was used in `quarters`.
    pub fn within(&self, quarters: &Range<Quarter>) -> impl Iterator<Item = (Quarter, &Used)> {
        let [first, end] = [quarters.start, quarters.end]
            .map(|bound| self.0.partition_point(|(quarter, _)| *quarter < bound));
        let within = self.0.get(first..end).unwrap_or_default();
        within.iter().map(|(quarter, used)| (*quarter, &**used))
    }

    /// Day by day.
    pub fn days(&self) -> impl Iterator<Item = (Day, &[(Quarter, Box<Used>)])> {
        let days = self.0.chunk_by(|(one, _), (next, _)| one.day() == next.day());
        days.filter_map(|day| Some((day.first()?.0.day(), day)))
    }
}

impl Overlay {
    /// Takes in a committed unit, save for its days: `accounts` are its new states.
    pub fn absorb(&mut self, id: EventId, accounts: &[AccountChange], change: &Change) {
        self.is_changed = true;
        self.last.block = id.block;
        for AccountChange { subject, read_at, account, due_at } in accounts {
            self.accounts.insert(subject.clone(), (read_at + 1, account.clone()));
            self.due.extend(due_at.map(|at| (at, subject.clone())));
        }
        if let Some(reservation) = change.reservation(id) {
            let key = (reservation.id.root_part(), reservation.id);
            let is_new = reservation.outcome == Outcome::Open
                || self.reservations.get(&key).is_some_and(|before| before.is_new);
            self.reservations.insert(key, Changed { unit: id, reservation, is_new });
        }
        if let Some(event) = change.event()
            && let Some(key) = &event.report.key
        {
            self.events.insert(event_name(&event.report.subject, key), id);
        }
        if let Some(correction) = change.correction() {
            let amendment = &correction.amendment;
            self.events.insert(correction_name(&correction.subject, &amendment.key), id);
            self.corrections.entry(amendment.corrects).or_default().push(id);
        }
        if let Change::Closed { subject, entry } = change {
            self.history.insert((subject.clone(), entry.end), entry.clone());
        }
        self.list(id, change);
    }

    /// Lists what is found from levels: events in their logs, and alerts.
    fn list(&mut self, id: EventId, change: &Change) {
        if let Some(event) = change.event() {
            let logged = Logged::of(id, event);
            for subject in event.report.subject.levels() {
                self.logs.insert(level::log_key(&subject, logged.rank), level::log_value(&logged));
            }
        }
        if let Change::AlertRead { subject, alert, at } = change {
            let key = level::alert_key(subject, *alert);
            self.alerts.insert(key, level::alert_value(Some(*at)));
        }
        for raised in change.raised() {
            if self.ordinals.0 != id.block {
                self.ordinals = (id.block, 0);
            }
            let alert = AlertId::new(id.block, self.ordinals.1);
            self.ordinals.1 += 1;
            let key = level::alert_key(&raised.alert.subject, alert);
            self.alerts.insert(key, level::alert_value(None));
        }
    }

    /// Takes in how a committed unit changed a subscription, if it did.
    pub fn subscribe(&mut self, id: EventId, at: Timestamp, change: &Change) {
        if let Change::Subscribed { subject, subscription, .. } = change {
            let changes = self.subscribed.entry(subject.clone()).or_default();
            changes.insert(id, (at, subscription.clone()));
        }
    }

    /// Takes in the mark of a committed unit, if it has one.
    pub fn mark(&mut self, mark: Option<Mark>, at: Timestamp, unit: EventId) {
        if let Some(mark) = mark {
            self.marks.insert((mark.once.key, mark.part), Marked { mark, at, unit });
        }
    }

    /// Adds a fact to the use of one of its levels.
    pub fn add_use(&mut self, subject: SubjectId, fact: &Fact) {
        let used = self.uses.entry(subject).or_default().at(Quarter::of(fact.occurred_at()));
        let add = |table: &mut Table, totals: &Totals| {
            // No larger than the account's own sum, which was checked before the commit.
            let _ = table.add(fact.provider(), fact.model(), totals);
        };
        match fact {
            Fact::Event(event) => add(&mut used.added, &Totals::of_event(event)),
            Fact::Correction(correction) => {
                let [before, after] = correction.totals();
                add(&mut used.added, &after);
                add(used.taken.get_or_insert_default(), &before);
            }
        }
    }

    /// Takes in a refusal, save for how many there were.
    pub fn refuse(&mut self, id: EventId, refusal: &Refusal) {
        self.is_changed = true;
        self.last.refusals = id.block;
        self.refused.extend(refusal.call.subject.levels().map(|level| (level, id.block)));
    }

    pub fn count_refusal(&mut self, subject: SubjectId, refusal: &Refusal) {
        let counts = self.refusal_counts.entry((subject, refusal.period.clone())).or_default();
        counts.count(refusal.cause());
    }

    /// An empty one for what comes after these blocks.
    pub fn after(last: Last) -> Self {
        Self { last, ..Self::default() }
    }

    pub fn is_empty(&self) -> bool {
        !self.is_changed
    }

    pub fn last(&self) -> Last {
        self.last
    }

    pub fn account(&self, subject: &SubjectId) -> Option<(Version, Arc<Account>)> {
        self.accounts.get(subject).cloned()
    }

    /// What was used on a level in these quarters.
    pub fn uses(
        &self,
        subject: &SubjectId,
        quarters: &Range<Quarter>,
    ) -> impl Iterator<Item = (Quarter, &Used)> {
        let uses = self.uses.get(subject).into_iter();
        uses.flat_map(|uses| uses.within(quarters))
    }

    pub fn reservation(&self, id: ReservationId) -> Option<Arc<Reservation>> {
        self.reservations.get(&(id.root_part(), id)).map(|changed| changed.reservation.clone())
    }

    /// All reservations beneath a root; some beneath another of the same hash, too.
    pub fn reservations_of(&self, root: &RootId) -> impl Iterator<Item = &Arc<Reservation>> {
        let hash = ReservationId::root_hash(root);
        let (first, last) = (ReservationId::FIRST, ReservationId::LAST);
        let changed = self.reservations.range((hash, first)..=(hash, last));
        changed.map(|(_, changed)| &changed.reservation)
    }

    pub fn subscriptions_of(
        &self,
        subject: &SubjectId,
    ) -> impl Iterator<Item = (EventId, (Timestamp, Subscription))> {
        let changes = self.subscribed.get(subject).into_iter().flatten();
        changes.map(|(id, change)| (*id, change.clone()))
    }

    pub fn history_of(&self, subject: &SubjectId) -> impl Iterator<Item = &Arc<BillingEntry>> {
        let first = (subject.clone(), Timestamp::from_micros(i64::MIN));
        let last = (subject.clone(), Timestamp::from_micros(i64::MAX));
        self.history.range(first..=last).map(|(_, entry)| entry)
    }

    pub fn counts_of(
        &self,
        subject: &SubjectId,
    ) -> impl Iterator<Item = (&PeriodId, &RefusalCounts)> {
        let counts = self.refusal_counts.range((subject.clone(), PeriodId::FIRST)..);
        let counts = counts.take_while(move |((own, _), _)| own == subject);
        counts.map(|((_, period), counts)| (period, counts))
    }

    /// The blocks in which a level was refused something.
    pub fn refusals_of(&self, subject: &SubjectId) -> impl Iterator<Item = u64> {
        let range = (subject.clone(), 0)..=(subject.clone(), u64::MAX);
        self.refused.range(range).map(|(_, block)| *block)
    }

    pub fn marked(&self, key: &Fingerprint) -> impl Iterator<Item = &Marked> {
        self.marks.range((*key, 0)..=(*key, u32::MAX)).map(|(_, marked)| marked)
    }

    pub fn event(&self, name: &EventName) -> Option<EventId> {
        self.events.get(name).copied()
    }

    /// The last lines of a level's log before one, the newest first.
    pub fn logged(
        &self,
        subject: &SubjectId,
        before: Option<Rank>,
    ) -> impl Iterator<Item = Logged> {
        let hash = level::hash::<LOG_HASH>(subject);
        let end = match before {
            Some(before) => Bound::Excluded(level::log_key(subject, before)),
            None => Bound::Included(edge(&hash, u8::MAX)),
        };
        let lines = self.logs.range((Bound::Included(edge(&hash, 0)), end)).rev();
        lines.map(|(key, value)| level::logged(key, *value))
    }

    /// A level's alerts, and when they were read.
    pub fn alerts(
        &self,
        subject: &SubjectId,
    ) -> impl Iterator<Item = (AlertId, Option<Timestamp>)> {
        let hash = level::hash::<ALERT_HASH>(subject);
        let alerts = self.alerts.range(edge(&hash, 0)..=edge(&hash, u8::MAX));
        alerts.map(|(key, value)| level::alert(key, *value))
    }
}

/// The first or the last key that a level may have.
fn edge(hash: &[u8], rest: u8) -> LevelKey {
    let mut edge = [rest; size_of::<LevelKey>()];
    edge[..hash.len()].copy_from_slice(hash);
    edge
}
