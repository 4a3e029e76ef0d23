//! sled beneath, with a journal of blocks.
//!
//! A commit writes the changes of all its units as blocks of up to 8 KiB, in one atomic batch,
//! and syncs: this is all that an acknowledgement waits for, and the only copy of the events.
//! What the blocks add up to (accounts, quarter-hour buckets, reservations, event names, marks)
//! is kept in an [`Overlay`] in memory, and written behind the commits by [`Store::maintain`]. A
//! start replays the blocks since the last time that was done.
//!
//! sled reads its log anew at each start, and takes what it cannot read for torn. So the folder is
//! looked at before ([`folder`], [`log`]), and a [`seal`] says what must be there.
//!
//! sled's `flush` does not reach stable storage (it uses `sync_file_range`): `sync_data` on its
//! file, after the flush, does.

mod block;
mod closing;
mod folder;
mod log;
mod overlay;
mod quiet;
mod restore;
mod rows;
mod seal;
mod verify;

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map};
use std::future::{Future, ready};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tollgate_domain::{EventKey, PeriodId, RootId, Span, SubjectId, SubjectPath, Timestamp};

use self::block::Entry;
use self::closing::Closing;
use self::folder::Found;
use self::overlay::{Day, EventName, Last, Overlay, Quarter, Quarters};
pub use self::quiet::damage;
pub use self::restore::{RestoreError, Restored, Stage, restore};
use self::rows::{Key, Rows};
pub use self::verify::{Difference, Verification};
use super::{
    AccountChange, Change, Conflict, Fact, Forget, Marked, RefusalFilter, Store, StoreError, Unit,
    Version,
};
use crate::account::Account;
use crate::billing::BillingEntry;
use crate::event::{EventId, Fingerprint};
use crate::refusal::{Refusal, RefusalCounts, RefusalId};
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
    /// After the rows, which it closes for good.
    closing: Closing,
}

struct Writer {
    next: block::Next,
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
        Self::opened(folder, |found| {
            let mut store = Self::replayed(folder, found, Err)?;
            if let Some(doubt) = &found.doubt {
                tracing::warn!("{doubt}; adding up all blocks anew");
                store.dispel()?;
            }
            let last_block = store.writer.get_mut().next.block - 1;
            store.closing.begin(last_block)?;
            Ok(store)
        })
    }

    /// Opens data that is there already, passing over what is damaged: to be looked at, and never
    /// to be committed to.
    pub fn inspect(folder: &Path) -> Result<Self, StoreError> {
        if !folder::has_data(folder) {
            return Err(StoreError(format!("there is no data in {}", folder.display())));
        }
        Self::opened(folder, |found| {
            let mut store = Self::replayed(folder, found, |_| Ok(()))?;
            store.closing.look();
            Ok(store)
        })
    }

    fn opened(
        folder: &Path,
        open: impl FnOnce(&Found) -> Result<Self, StoreError>,
    ) -> Result<Self, StoreError> {
        let opened = quiet::or_damaged(|| {
            let mut found = folder::prepare(folder)?;
            closing::reopen(folder, &mut found)?;
            open(&found).map_err(|error| match &found.doubt {
                Some(doubt) => StoreError(format!("{doubt}: {error}")),
                None => error,
            })
        });
        opened.map_err(|error| {
            StoreError(format!("cannot open the data in {}: {error}", folder.display()))
        })
    }

    fn replayed(
        folder: &Path,
        found: &Found,
        damaged: impl Fn(StoreError) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let rows = Rows::open(folder)?;
        let checkpoint = rows.checkpoint().or_else(|error| damaged(error).map(|()| None))?;
        let (condensed, mut last_instant) =
            checkpoint.unwrap_or((Last::default(), Timestamp::EPOCH));
        let next = block::Next { block: condensed.block + 1, refusals: condensed.refusals + 1 };
        let mut store = Self {
            rows,
            writer: Mutex::new(Writer { next }),
            memory: RwLock::new(Memory {
                current: Overlay::after(condensed),
                condensing: None,
                last_instant,
            }),
            maintenance: Mutex::new(Timestamp::EPOCH),
            closing: Closing::new(folder, found),
        };
        let mut replayed = 0_u64;
        let mut condensed_days = HashMap::new();
        for block in store.rows.blocks_after(condensed.block) {
            let (number, entries) = block?;
            let next = store.writer.get_mut().next.block;
            if number != next {
                let missing = format!("blocks {next} to {} are missing", number - 1);
                damaged(StoreError(missing))?;
            }
            let entries = entries.or_else(|error| damaged(error).map(|()| vec![]))?;
            for (index, entry) in (0..).zip(entries) {
                last_instant = last_instant.max(entry.at);
                let id = EventId { block: number, index };
                store.replay(id, &entry, &mut condensed_days).or_else(&damaged)?;
            }
            store.writer.get_mut().next.block = number + 1;
            replayed += 1;
        }
        for block in store.rows.refusals_from(condensed.refusals + 1) {
            let (number, entries) = block?;
            let entries = entries.or_else(|error| damaged(error).map(|()| vec![]))?;
            for (index, entry) in (0..).zip(entries) {
                last_instant = last_instant.max(entry.at);
                let id = EventId { block: number, index };
                store.replay_refusal(id, &entry).or_else(&damaged)?;
            }
            store.writer.get_mut().next.refusals = number + 1;
        }
        let (last, sealed) = (store.writer.get_mut().next.block - 1, found.seal.last_block);
        if last < sealed {
            let missing = format!("the journal ends with block {last}, and had {sealed}");
            damaged(StoreError(missing))?;
        }
        store.memory.get_mut().last_instant = last_instant;
        tracing::info!(folder = %folder.display(), replayed, "opened the ledger");
        Ok(store)
    }

    /// Adds a refusal, save to counts that contain it already.
    fn replay_refusal(&mut self, id: EventId, entry: &Entry) -> Result<(), StoreError> {
        let Change::Refused(refusal) = &entry.change else { return Ok(()) };
        let overlay = &mut self.memory.get_mut().current;
        overlay.refuse(id, refusal);
        for subject in refusal.call.subject.levels() {
            if self.rows.refusal_count(&subject, &refusal.period)?.0 < id.block {
                overlay.count_refusal(subject, refusal);
            }
        }
        Ok(())
    }

    /// Adds up everything anew, where sled may have lost something.
    fn dispel(&self) -> Result<(), StoreError> {
        let verified = self.verify(&self.closing.forgotten(), |_, _| {});
        match verified.differences.first() {
            None => Ok(()),
            Some(first) => Err(StoreError(format!(
                "{} rows are not what the blocks say: {first}",
                verified.differences_total
            ))),
        }
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
                let before = account.due_at(&subject);
                let mut account = Arc::unwrap_or_clone(account);
                account.replay(&subject, entry.at, &entry.change).map_err(|overflow| {
                    StoreError(format!("block {} of {subject}: {overflow}", id.block))
                })?;
                let due_at = account.due_at(&subject).filter(|at| before != Some(*at));
                let account = Arc::new(account);
                accounts.push(AccountChange { subject, read_at: version, account, due_at });
            }
        }
        overlay.absorb(id, &accounts, &entry.change);
        overlay.mark(entry.mark, entry.at, id);
        let Some(fact) = entry.change.fact() else { return Ok(()) };
        for subject in fact.subject().levels() {
            let day = Quarter::of(fact.occurred_at()).day();
            let as_of = match condensed_days.entry((subject.clone(), day)) {
                hash_map::Entry::Occupied(known) => *known.get(),
                hash_map::Entry::Vacant(new) => *new.insert(self.rows.day_as_of(&subject, day)?),
            };
            if as_of < id.block {
                overlay.add_to_day(subject, &fact);
            }
        }
        Ok(())
    }

    /// Numbers the units that conflict with nobody, and writes them.
    fn write(&self, units: &[Unit]) -> Result<Vec<Result<EventId, Conflict>>, StoreError> {
        let mut writer = self.writer.lock();
        let mut versions = HashMap::new();
        let mut blocks = block::Writer::new(writer.next);
        let mut outcomes = Vec::with_capacity(units.len());
        for unit in units {
            let outcome = match self.fits(unit, &mut versions)? {
                true => Ok(blocks.push(unit)?),
                false => Err(Conflict),
            };
            outcomes.push(outcome);
        }
        let (batch, next) = blocks.finish();
        self.rows.write_durably(batch).inspect_err(|_| self.closing.fail())?;
        writer.next = next;
        self.closing.reached(next.block - 1);

        let mut memory = self.memory.write();
        for (unit, outcome) in units.iter().zip(&outcomes) {
            if let Ok(id) = outcome {
                memory.last_instant = memory.last_instant.max(unit.at);
                if let Change::Refused(refusal) = &unit.change {
                    memory.current.refuse(*id, refusal);
                    let levels = refusal.call.subject.levels();
                    levels.for_each(|subject| memory.current.count_refusal(subject, refusal));
                    continue;
                }
                memory.current.absorb(*id, &unit.accounts, &unit.change);
                memory.current.mark(unit.turn.mark(), unit.at, *id);
                if let Some(fact) = unit.change.fact() {
                    let levels = fact.subject().levels();
                    levels.for_each(|subject| memory.current.add_to_day(subject, &fact));
                }
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

    /// All blocks in which a level was refused something, the oldest first.
    fn blocks_with_refusals_of(&self, subject: &SubjectId) -> Result<BTreeSet<u64>, StoreError> {
        let mut found = BTreeSet::new();
        for overlay in self.memory.read().overlays() {
            found.extend(overlay.refusals_of(subject));
        }
        // What leaves memory was written before: looking there second finds it.
        for block in self.rows.refusals_of(subject) {
            found.insert(block?);
        }
        Ok(found)
    }

    /// What a caller gave this name.
    fn named(&self, name: &EventName) -> Result<Option<EventId>, StoreError> {
        if let Some(found) = self.memory.read().overlays().find_map(|o| o.event(name)) {
            return Ok(Some(found));
        }
        self.rows.named(name)
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
            let next = Overlay::after(memory.current.last());
            let overlay = Arc::new(std::mem::replace(&mut memory.current, next));
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
        let within = |quarter: Quarter| quarter >= first && end.is_none_or(|end| quarter < end);
        let (mut added, mut taken) = (Table::default(), Table::default());
        let add = |table: &mut Table, quarters: &Quarters| {
            let mut quarters = quarters.iter().filter(|(quarter, _)| within(**quarter));
            quarters.try_for_each(|(_, used)| table.add_all(used))
        };
        // The lock keeps what is being condensed from being forgotten, and so from being missed;
        // a day's row tells whether it is in there already.
        let memory = self.memory.read();
        let mut as_of_day = BTreeMap::new();
        for day in self.rows.days(subject, first.day(), end.map(Quarter::last_day_before)) {
            let (day, as_of, quarters) = day?;
            as_of_day.insert(day, as_of);
            add(&mut added, &quarters)?;
        }
        for overlay in memory.overlays() {
            for (day, used) in overlay.days(subject) {
                if as_of_day.get(&day).is_none_or(|as_of| *as_of < overlay.last().block) {
                    add(&mut added, &used.added)?;
                    add(&mut taken, &used.taken)?;
                }
            }
        }
        added.take_all(&taken)?;
        Ok(added)
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
        1..self.writer.lock().next.block
    }

    fn block(&self, number: u64) -> Result<Vec<u8>, StoreError> {
        let block = self.rows.raw_block(number)?;
        block.ok_or_else(|| StoreError(format!("block {number} is missing")))
    }

    fn refusals_blocks(&self) -> Result<Range<u64>, StoreError> {
        let next = self.writer.lock().next.refusals;
        let first = self.rows.refusals_from(0).next().transpose()?;
        Ok(first.map_or(next, |(number, _)| number)..next)
    }

    fn refusals_block(&self, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.rows.raw_refusals(number)
    }

    fn facts_of(&self, block: u64) -> Result<Vec<(EventId, Fact)>, StoreError> {
        let entries = self.rows.block(block)?;
        let entries = entries.ok_or_else(|| StoreError(format!("block {block} is missing")))?;
        let facts = (0..)
            .zip(&entries)
            .filter_map(|(index, entry)| Some((EventId { block, index }, entry.change.fact()?)));
        Ok(facts.collect())
    }

    fn event_by_key(
        &self,
        subject: &SubjectPath,
        key: &EventKey,
    ) -> Result<Option<EventId>, StoreError> {
        self.named(&overlay::event_name(subject, key))
    }

    fn corrections_of(&self, event: EventId) -> Result<Vec<EventId>, StoreError> {
        let mut found = BTreeSet::new();
        for overlay in self.memory.read().overlays() {
            found.extend(overlay.corrections.get(&event).into_iter().flatten());
        }
        // What leaves memory was written before: looking there second finds it.
        found.extend(self.rows.corrections(event)?);
        Ok(found.into_iter().collect())
    }

    fn correction_by_key(
        &self,
        subject: &SubjectPath,
        key: &EventKey,
    ) -> Result<Option<EventId>, StoreError> {
        self.named(&overlay::correction_name(subject, key))
    }

    fn billing_history(&self, subject: &SubjectId) -> Result<Vec<Arc<BillingEntry>>, StoreError> {
        let mut found = BTreeMap::new();
        for overlay in self.memory.read().overlays() {
            found.extend(overlay.history_of(subject).map(|entry| (entry.end, entry.clone())));
        }
        found.extend(self.rows.history(subject)?);
        Ok(found.into_values().collect())
    }

    fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<(Timestamp, SubjectId)>, StoreError> {
        let mut due: BTreeSet<_> = self.rows.due(now, limit)?.into_iter().collect();
        for overlay in self.memory.read().overlays() {
            let overdue = overlay.due.iter().take_while(|(at, _)| *at <= now).take(limit);
            due.extend(overdue.cloned());
        }
        Ok(due.into_iter().take(limit).collect())
    }

    fn forget_due(&self, due: &[(Timestamp, SubjectId)]) -> Result<(), StoreError> {
        // No round of maintenance writes meanwhile what is forgotten here.
        let _unchanged = self.maintenance.lock();
        let mut memory = self.memory.write();
        for at in due {
            memory.current.due.remove(at);
        }
        drop(memory);
        self.rows.forget_due(due)
    }

    fn refusals(
        &self,
        which: &RefusalFilter,
    ) -> Result<Vec<(RefusalId, Arc<Refusal>)>, StoreError> {
        let last = which.before.map_or(u64::MAX, |before| before.block);
        let mut found = Vec::new();
        match &which.subject {
            None => {
                for block in self.rows.refusals_from(0).rev() {
                    let (number, entries) = block?;
                    if number <= last && !take_refusals(which, number, entries?, &mut found) {
                        break;
                    }
                }
            }
            Some(subject) => {
                let numbers = self.blocks_with_refusals_of(subject)?;
                for number in numbers.into_iter().rev().filter(|number| *number <= last) {
                    // One that is not there any more was forgotten meanwhile.
                    let Some(entries) = self.rows.refusals(number)? else { continue };
                    if !take_refusals(which, number, entries, &mut found) {
                        break;
                    }
                }
            }
        }
        Ok(found)
    }

    fn refusal_counts(
        &self,
        subject: &SubjectId,
    ) -> Result<BTreeMap<PeriodId, RefusalCounts>, StoreError> {
        // The lock keeps what is being condensed from being forgotten, and so from being missed.
        let memory = self.memory.read();
        let mut found = self.rows.refusal_counts(subject)?;
        for overlay in memory.overlays() {
            for (period, added) in overlay.counts_of(subject) {
                let (as_of, counts) = found.entry(period.clone()).or_default();
                if *as_of < overlay.last().refusals {
                    counts.add_all(added);
                }
            }
        }
        Ok(found.into_iter().map(|(period, (_, counts))| (period, counts)).collect())
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
        self.condense().inspect_err(|_| self.closing.fail())?;
        self.closing.seal(forget)?;
        self.rows.forget_marks(forget.keys_before)?;
        self.rows.forget_refusals(forget.refusals_before)?;
        let forget_before = forget.reservations_before;
        self.rows.forget_ended(forget_before)?;
        if forget_before.since(*swept_at) >= SWEEP_EVERY {
            self.rows.forget_open(forget_before)?;
            *swept_at = forget_before;
        }
        Ok(())
    }
}

/// Takes from a block what is asked for, the newest first; tells whether older blocks may have
/// more of it.
fn take_refusals(
    which: &RefusalFilter,
    block: u64,
    entries: Vec<Entry>,
    found: &mut Vec<(RefusalId, Arc<Refusal>)>,
) -> bool {
    let may_have_more = entries.iter().any(|entry| entry.at >= which.span.start);
    let numbered: Vec<_> = (0..).zip(entries).collect();
    for (index, entry) in numbered.into_iter().rev() {
        let id = RefusalId { block, index };
        if let Change::Refused(refusal) = entry.change
            && found.len() < which.limit
            && which.takes(id, &refusal)
        {
            found.push((id, refusal));
        }
    }
    may_have_more && found.len() < which.limit
}
