//! sled beneath, with a journal of blocks.
//!
//! A commit writes the changes of all its units as blocks of up to 8 KiB, in one atomic batch,
//! and syncs: this is all that an acknowledgement waits for, and the only copy of the events.
//! What the blocks add up to (accounts, quarter-hour buckets, reservations, event names, marks)
//! is kept in an [`Overlay`] in memory, and written behind the commits by [`Store::maintain`]. A
//! start replays the blocks since the last time that was done.
//!
//! sled's `flush` does not reach stable storage (it uses `sync_file_range`): `sync_data` on its
//! file, after the flush, does.

mod block;
mod overlay;
mod restore;
mod rows;
mod verify;

use std::collections::{BTreeMap, HashMap, hash_map};
use std::future::{Future, ready};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tollgate_domain::{EventKey, RootId, Span, SubjectId, SubjectPath, Timestamp};

use self::block::Entry;
use self::overlay::{Day, Overlay, Quarter};
pub use self::restore::{RestoreError, Restored, Stage, restore};
use self::rows::{Key, Rows};
pub use self::verify::{Difference, Verification};
use super::{AccountChange, Change, Conflict, Forget, Marked, Store, StoreError, Unit, Version};
use crate::account::Account;
use crate::event::{Event, EventId, Fingerprint};
use crate::reservation::{Outcome, Reservation, ReservationId};
use crate::totals::Table;

/// Reservations that were never settled lie in no order of time: they are looked through, to be
/// forgotten, this seldom.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// A ledger's data in a folder of its own. One process at a time.
pub struct SledStore {
    rows: Rows,
    /// Held for a whole commit.
    writer: Mutex<Writer>,
    /// Locked only to look or to add, never while anything is written.
    memory: RwLock<Memory>,
    /// Held for a whole round of maintenance: when it last swept.
    maintenance: Mutex<Timestamp>,
}

struct Writer {
    next_block: u64,
}

/// What is committed and not yet written as rows.
struct Memory {
    current: Overlay,
    /// Being written right now.
    condensing: Option<Arc<Overlay>>,
    last_instant: Timestamp,
}

impl Memory {
    /// The newest first.
    fn overlays(&self) -> impl Iterator<Item = &Overlay> {
        std::iter::once(&self.current).chain(self.condensing.as_deref())
    }
}

impl SledStore {
    /// Opens the data in `folder`, creating it if there is none, and replays what has not been
    /// condensed.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::replayed(folder, Rows::open(folder)?, Err)
    }

    /// Opens data that is there already, passing over what is damaged: to be looked at, and never
    /// to be committed to.
    pub fn inspect(folder: &Path) -> Result<Self, StoreError> {
        Self::replayed(folder, Rows::open_existing(folder)?, |_| Ok(()))
    }

    fn replayed(
        folder: &Path,
        rows: Rows,
        damaged: impl Fn(StoreError) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let checkpoint = rows.checkpoint().or_else(|error| damaged(error).map(|()| None))?;
        let (condensed, mut last_instant) = checkpoint.unwrap_or((0, Timestamp::EPOCH));
        let mut store = Self {
            rows,
            writer: Mutex::new(Writer { next_block: condensed + 1 }),
            memory: RwLock::new(Memory {
                current: Overlay::default(),
                condensing: None,
                last_instant,
            }),
            maintenance: Mutex::new(Timestamp::EPOCH),
        };
        let mut replayed = 0_u64;
        let mut condensed_days = HashMap::new();
        for block in store.rows.blocks_after(condensed) {
            let (number, entries) = block?;
            let entries = entries.or_else(|error| damaged(error).map(|()| vec![]))?;
            for (index, entry) in (0..).zip(entries) {
                last_instant = last_instant.max(entry.at);
                let id = EventId { block: number, index };
                store.replay(id, &entry, &mut condensed_days).or_else(&damaged)?;
            }
            store.writer.get_mut().next_block = number + 1;
            replayed += 1;
        }
        store.memory.get_mut().last_instant = last_instant;
        tracing::info!(folder = %folder.display(), replayed, "opened the ledger");
        Ok(store)
    }

    /// Adds an entry to what it changed, save where a row contains it already: a crash amid
    /// condensing leaves some rows ahead of others. `condensed_days` remembers which block each
    /// day's row is as of.
    fn replay(
        &mut self,
        id: EventId,
        entry: &Entry,
        condensed_days: &mut HashMap<(SubjectId, Day), u64>,
    ) -> Result<(), StoreError> {
        let overlay = &mut self.memory.get_mut().current;
        let mut accounts = Vec::new();
        for subject in entry.change.levels() {
            let (as_of, version, account) = match overlay.account(&subject) {
                Some((version, account)) => (0, version, account),
                None => self.rows.account(&subject)?.unwrap_or_default(),
            };
            if as_of < id.block {
                let mut account = Arc::unwrap_or_clone(account);
                account.replay(&subject, &entry.change).map_err(|overflow| {
                    StoreError(format!("block {} of {subject}: {overflow}", id.block))
                })?;
                let account = Arc::new(account);
                accounts.push(AccountChange { subject, read_at: version, account });
            }
        }
        overlay.absorb(id, &accounts, &entry.change);
        overlay.mark(entry.mark, entry.at, id);
        let Some(event) = entry.change.event() else { return Ok(()) };
        for subject in event.report.subject.levels() {
            let day = Quarter::of(event.report.occurred_at).day();
            let as_of = match condensed_days.entry((subject.clone(), day)) {
                hash_map::Entry::Occupied(known) => *known.get(),
                hash_map::Entry::Vacant(new) => *new.insert(self.rows.day_as_of(&subject, day)?),
            };
            if as_of < id.block {
                overlay.add_to_day(subject, event);
            }
        }
        Ok(())
    }

    /// Numbers the units that conflict with nobody, and writes them.
    fn write(&self, units: &[Unit]) -> Result<Vec<Result<EventId, Conflict>>, StoreError> {
        let mut writer = self.writer.lock();
        let mut versions = HashMap::new();
        let mut blocks = block::Writer::new(writer.next_block);
        let mut outcomes = Vec::with_capacity(units.len());
        for unit in units {
            let outcome = match self.fits(unit, &mut versions)? {
                true => Ok(blocks.push(unit)?),
                false => Err(Conflict),
            };
            outcomes.push(outcome);
        }
        let (batch, next_block) = blocks.finish();
        self.rows.write_durably(batch)?;
        writer.next_block = next_block;

        let mut memory = self.memory.write();
        for (unit, outcome) in units.iter().zip(&outcomes) {
            if let Ok(id) = outcome {
                memory.current.absorb(*id, &unit.accounts, &unit.change);
                memory.current.mark(unit.turn.mark(), unit.at, *id);
                if let Some(event) = unit.change.event() {
                    let levels = event.report.subject.levels();
                    levels.for_each(|subject| memory.current.add_to_day(subject, event));
                }
                memory.last_instant = memory.last_instant.max(unit.at);
            }
        }
        Ok(outcomes)
    }

    /// Whether nobody changed the unit's accounts since they were read; `versions` are those
    /// that earlier units of the batch have changed.
    fn fits<'a>(
        &self,
        unit: &'a Unit,
        versions: &mut HashMap<&'a SubjectId, Version>,
    ) -> Result<bool, StoreError> {
        for change in &unit.accounts {
            let version = match versions.get(&change.subject) {
                Some(version) => *version,
                None => self.account(&change.subject)?.map_or(0, |(version, _)| version),
            };
            if version != change.read_at {
                return Ok(false);
            }
        }
        versions.extend(unit.accounts.iter().map(|change| (&change.subject, change.read_at + 1)));
        Ok(true)
    }

    /// Writes what the blocks add up to as rows, so that they need not be replayed.
    fn condense(&self) -> Result<(), StoreError> {
        let overlay = {
            let mut memory = self.memory.write();
            if memory.condensing.is_some() {
                // What that round was to write lies nowhere else but in memory and the blocks.
                return Err(StoreError("an earlier round of maintenance failed".into()));
            }
            if memory.current.is_empty() {
                return Ok(());
            }
            let overlay = Arc::new(std::mem::take(&mut memory.current));
            memory.condensing = Some(overlay.clone());
            overlay
        };
        let last_instant = self.memory.read().last_instant;
        self.rows.condense(&overlay, last_instant)?;
        self.memory.write().condensing = None;
        Ok(())
    }
}

impl Store for SledStore {
    fn commit(
        &self,
        units: &[Unit],
    ) -> impl Future<Output = Result<Vec<Result<EventId, Conflict>>, StoreError>> + Send {
        ready(self.write(units))
    }

    fn account(&self, subject: &SubjectId) -> Result<Option<(Version, Arc<Account>)>, StoreError> {
        if let Some(found) = self.memory.read().overlays().find_map(|o| o.account(subject)) {
            return Ok(Some(found));
        }
        // What leaves memory was written before: looking there second finds it.
        let row = self.rows.account(subject)?;
        Ok(row.map(|(_, version, account)| (version, account)))
    }

    fn used(&self, subject: &SubjectId, span: &Span) -> Result<Table, StoreError> {
        let (first, end) = (Quarter::of(span.start), span.end.map(Quarter::of));
        let mut table = Table::default();
        let mut add = |quarter: Quarter, used: &Table| {
            if quarter < first || end.is_some_and(|end| quarter >= end) {
                return Ok(());
            }
            table.add_all(used).map_err(|overflow| StoreError(overflow.to_string()))
        };
        // The lock keeps what is being condensed from being forgotten, and so from being missed;
        // a day's row tells whether it is in there already.
        let memory = self.memory.read();
        let mut as_of_day = BTreeMap::new();
        for day in self.rows.days(subject, first.day(), end.map(Quarter::last_day_before)) {
            let (day, as_of, quarters) = day?;
            as_of_day.insert(day, as_of);
            quarters.iter().try_for_each(|(quarter, used)| add(*quarter, used))?;
        }
        for overlay in memory.overlays() {
            for (day, quarters) in overlay.days(subject) {
                if as_of_day.get(&day).is_none_or(|as_of| *as_of < overlay.last_block()) {
                    quarters.iter().try_for_each(|(quarter, used)| add(*quarter, used))?;
                }
            }
        }
        Ok(table)
    }

    fn open_reservations(&self, root: &RootId) -> Result<Vec<Arc<Reservation>>, StoreError> {
        let memory = self.memory.read();
        let mut found = BTreeMap::new();
        for reservation in self.rows.open_reservations(root) {
            let reservation = reservation?;
            found.insert(reservation.id, reservation);
        }
        for overlay in [memory.condensing.as_deref(), Some(&memory.current)].into_iter().flatten() {
            found.extend(overlay.reservations_of(root).map(|r| (r.id, r.clone())));
        }
        let beneath =
            |r: &Arc<Reservation>| r.outcome == Outcome::Open && r.call.subject.root() == *root;
        Ok(found.into_values().filter(beneath).collect())
    }

    fn reservation(&self, id: ReservationId) -> Result<Option<Arc<Reservation>>, StoreError> {
        if let Some(found) = self.memory.read().overlays().find_map(|o| o.reservation(id)) {
            return Ok(Some(found));
        }
        match self.rows.get(&Key::ended(id))? {
            Some(ended) => Ok(Some(ended)),
            None => self.rows.get(&Key::open(id)),
        }
    }

    fn change(&self, id: EventId) -> Result<Option<Change>, StoreError> {
        Ok(self.rows.entry(id)?.map(|entry| entry.change))
    }

    fn blocks(&self) -> Range<u64> {
        1..self.writer.lock().next_block
    }

    fn block(&self, number: u64) -> Result<Vec<u8>, StoreError> {
        let block = self.rows.raw_block(number)?;
        block.ok_or_else(|| StoreError(format!("block {number} is missing")))
    }

    fn events_of(&self, block: u64) -> Result<Vec<(EventId, Arc<Event>)>, StoreError> {
        let entries = self.rows.block(block)?;
        let entries = entries.ok_or_else(|| StoreError(format!("block {block} is missing")))?;
        let events = (0..).zip(&entries).filter_map(|(index, entry)| {
            Some((EventId { block, index }, entry.change.event()?.clone()))
        });
        Ok(events.collect())
    }

    fn event_by_key(
        &self,
        subject: &SubjectPath,
        key: &EventKey,
    ) -> Result<Option<EventId>, StoreError> {
        let name = overlay::event_name(subject, key);
        if let Some(found) = self.memory.read().overlays().find_map(|o| o.event(&name)) {
            return Ok(Some(found));
        }
        self.rows.get(&Key::event_name(&name))
    }

    fn marked(&self, key: &Fingerprint, since: Timestamp) -> Result<Vec<Marked>, StoreError> {
        let mut found = BTreeMap::new();
        let days = {
            let memory = self.memory.read();
            for marked in memory.overlays().flat_map(|overlay| overlay.marked(key)) {
                found.insert(marked.unit, *marked);
            }
            [since, memory.last_instant].map(|at| Quarter::of(at).day())
        };
        // What leaves memory was written before: looking there second finds it.
        let rows = self.rows.marked(key, days[0]..=days[1])?;
        found.extend(rows.into_iter().map(|marked| (marked.unit, marked)));
        Ok(found.into_values().filter(|marked| marked.at >= since).collect())
    }

    fn last_instant(&self) -> Timestamp {
        self.memory.read().last_instant
    }

    fn maintain(&self, forget: &Forget) -> Result<(), StoreError> {
        let mut swept_at = self.maintenance.lock();
        self.condense()?;
        self.rows.forget_marks(forget.keys_before)?;
        let forget_before = forget.reservations_before;
        self.rows.forget_ended(forget_before)?;
        if forget_before.since(*swept_at) >= SWEEP_EVERY {
            self.rows.forget_open(forget_before)?;
            *swept_at = forget_before;
        }
        Ok(())
    }
}
