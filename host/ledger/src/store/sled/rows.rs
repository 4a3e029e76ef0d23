//! The rows of the one tree: their keys, their encoding, and how they get to disk.
//!
//! One tree, because sled's batches are atomic within one. Every row that blocks add up to says
//! which block it is `as_of`, so that replaying a block twice adds it once.

mod inventory;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tollgate_domain::{PeriodId, RootId, SubjectId, Timestamp};

use self::names::Names;
use super::block::{self, Entry};
use super::folder::{self, LOCK_PATIENCE};
use super::overlay::{Day, Last, Overlay, Quarter, Quarters};
use crate::account::Account;
use crate::billing::BillingEntry;
use crate::event::{EventId, Fingerprint};
use crate::refusal::RefusalCounts;
use crate::reservation::{Outcome, Reservation, ReservationId};
use crate::store::{Marked, StoreError, Version};

/// sled moves pages of large values into files of their own; values of this size never are.
pub const VALUE_BYTES_MAX: usize = 8 * 1024;

/// sled's own default is a GiB.
const CACHE_BYTES: u64 = 128 * 1024 * 1024;

/// Rows written in one go behind the commits: few enough that no commit waits long for them.
const BATCH_ROWS: usize = 256;

/// Rows forgotten in a round: more than a busy service adds in the second between two.
const FORGET_ROWS: usize = 16 * 1024;

/// Blocks of refusals forgotten in a round.
const FORGET_BLOCKS: usize = 256;

pub struct Rows {
    tree: sled::Db,
    file: File,
    names: Names,
}

/// A row's key: its kind, then what names it. Rows but blocks are cut into parts of at most
/// [`VALUE_BYTES_MAX`], numbered by a last byte.
pub struct Key(Vec<u8>);

impl Key {
    fn new(kind: u8, name: &[&[u8]]) -> Self {
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
    fn refused(subject: &SubjectId, block: u64) -> Self {
        Self::new(b'f', &[subject.as_str().as_bytes(), &[0], &block.to_be_bytes()])
    }

    /// How often a level was refused something in a billing period.
    fn refusal_counts(subject: &SubjectId, period: &PeriodId) -> Self {
        Self::new(b'N', &[subject.as_str().as_bytes(), &[0], period.as_str().as_bytes()])
    }

    fn checkpoint() -> Self {
        Self::new(b'C', &[])
    }

    fn account(subject: &SubjectId) -> Self {
        Self::new(b'A', &[subject.as_str().as_bytes()])
    }

    /// Subjects contain no control characters: none is a prefix of another with its zero.
    fn day(subject: &SubjectId, day: Day) -> Self {
        Self::new(b'D', &[subject.as_str().as_bytes(), &[0], &in_order(day)])
    }

    /// The corrections of an event.
    pub fn corrections(event: EventId) -> Self {
        Self::new(b'K', &[&event.block.to_be_bytes(), &event.index.to_be_bytes()])
    }

    /// A closed billing period, by its end.
    fn entry(subject: &SubjectId, end: Timestamp) -> Self {
        Self::new(b'H', &[subject.as_str().as_bytes(), &[0], &in_order(end.micros())])
    }

    /// When a level's billing period is due to be closed, in the order of time.
    pub fn due(at: Timestamp, subject: &SubjectId) -> Self {
        Self::new(b'P', &[&in_order(at.micros()), subject.as_str().as_bytes()])
    }

    /// A reservation that has not ended, found from its root.
    pub fn open(id: ReservationId) -> Self {
        Self::new(b'O', &[&id.root_part(), &id.bytes()])
    }

    /// A reservation that has, in the order of creation.
    pub fn ended(id: ReservationId) -> Self {
        Self::new(b'R', &[&id.bytes()])
    }

    /// The marks of a day, so that those of days gone by are forgotten without being looked at.
    fn marks_on(day: Day) -> Self {
        Self::new(b'M', &[&in_order(day)])
    }

    fn marks_under(key: &Fingerprint, day: Day) -> Self {
        Self::new(b'M', &[&in_order(day), key.bytes()])
    }

    fn mark(marked: &Marked) -> Self {
        let (day, key) = (Quarter::of(marked.at).day(), marked.mark.once.key);
        Self::new(b'M', &[&in_order(day), key.bytes(), &marked.mark.part.to_be_bytes()])
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn part(&self, number: u8) -> Vec<u8> {
        [&self.0[..], &[number]].concat()
    }
}

/// A block with its number: its entries, unless it is damaged.
pub type Block = Result<(u64, Result<Vec<Entry>, StoreError>), StoreError>;

impl Rows {
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let tree = open_tree(folder).map_err(|error| match is_locked(&error) {
            true => StoreError("another process is using it".into()),
            false => error.into(),
        })?;
        let file = File::open(folder.join(folder::LOG))
            .and_then(|file| folder::sync(folder).map(|()| file))
            .map_err(|error| StoreError(error.to_string()))?;
        let rows = Self { tree, file, names: Names::default() };
        rows.load_names()?;
        Ok(rows)
    }

    /// Returns when the batch is on disk, all of it or nothing.
    pub fn write_durably(&self, batch: sled::Batch) -> Result<(), StoreError> {
        self.tree.apply_batch(batch)?;
        self.sync()
    }

    /// Writes a batch that need not be on disk before the next one that is.
    pub fn write(&self, batch: sled::Batch) -> Result<(), StoreError> {
        Ok(self.tree.apply_batch(batch)?)
    }

    /// The last blocks that all rows contain, and the latest instant in them.
    pub fn checkpoint(&self) -> Result<Option<(Last, Timestamp)>, StoreError> {
        self.get(&Key::checkpoint())
    }

    pub fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, StoreError> {
        let mut bytes = Vec::new();
        for part in 0..=u8::MAX {
            let Some(value) = self.tree.get(key.part(part))? else { break };
            let Some((more, rest)) = value.split_first() else { break };
            bytes.extend_from_slice(rest);
            if *more == 0 {
                return decode(&bytes).map(Some);
            }
        }
        if bytes.is_empty() { Ok(None) } else { Err(StoreError("a row is incomplete".into())) }
    }

    /// As of which block, how often touched, and the account.
    pub fn account(
        &self,
        subject: &SubjectId,
    ) -> Result<Option<(u64, Version, Arc<Account>)>, StoreError> {
        self.get(&Key::account(subject))
    }

    pub fn blocks_after(&self, number: u64) -> impl Iterator<Item = Block> + use<> {
        self.blocks_between(Key::block(number + 1), Key::block(u64::MAX))
    }

    fn blocks_between(
        &self,
        first: Key,
        end: Key,
    ) -> impl DoubleEndedIterator<Item = Block> + use<> {
        self.tree.range(first.0..end.0).map(|row| {
            let (key, value) = row?;
            let number = block_number(&key)?;
            Ok((number, block::read(number, &value)))
        })
    }

    pub fn block(&self, number: u64) -> Result<Option<Vec<Entry>>, StoreError> {
        let block = self.tree.get(Key::block(number).as_bytes())?;
        block.map(|block| block::read(number, &block)).transpose()
    }

    pub fn entry(&self, id: EventId) -> Result<Option<Entry>, StoreError> {
        let block = self.block(id.block)?;
        Ok(block.and_then(|entries| entries.into_iter().nth(id.index as usize)))
    }

    /// A level's days from `first` to `last`, each as of some block.
    pub fn days(
        &self,
        subject: &SubjectId,
        first: Day,
        last: Option<Day>,
    ) -> impl Iterator<Item = Result<(Day, u64, Quarters), StoreError>> {
        let last = last.unwrap_or(Day::MAX);
        let parts = Key::day(subject, first).part(0)..=Key::day(subject, last).part(u8::MAX);
        let subject = subject.clone();
        let firsts = self.tree.range(parts).keys().filter_map(|key| match key {
            Ok(key) => {
                let (part, key) = key.split_last()?;
                (*part == 0).then(|| Ok(Key(key.to_vec())))
            }
            Err(error) => Some(Err(StoreError::from(error))),
        });
        firsts.map(move |key| {
            let key = key?;
            let day = last_day(&key.0)?;
            let (as_of, quarters) = self.day(&subject, day)?.ok_or_else(|| unreadable("a day"))?;
            Ok((day, as_of, quarters))
        })
    }

    /// As of which block, and what was used in the day's quarters.
    pub fn day(
        &self,
        subject: &SubjectId,
        day: Day,
    ) -> Result<Option<(u64, Quarters)>, StoreError> {
        self.get(&Key::day(subject, day))
    }

    /// The last block that a day's row contains; 0 if there is no row.
    pub fn day_as_of(&self, subject: &SubjectId, day: Day) -> Result<u64, StoreError> {
        Ok(self.day(subject, day)?.map_or(0, |(as_of, _)| as_of))
    }

    /// The marks under a key, of these days.
    pub fn marked(
        &self,
        key: &Fingerprint,
        days: RangeInclusive<Day>,
    ) -> Result<Vec<Marked>, StoreError> {
        let mut found = Vec::new();
        for day in days {
            for row in self.tree.scan_prefix(Key::marks_under(key, day).0).values() {
                found.push(one_part(&row?, "a mark")?);
            }
        }
        Ok(found)
    }

    /// In the order of their commits.
    pub fn corrections(&self, event: EventId) -> Result<Vec<EventId>, StoreError> {
        Ok(self.get(&Key::corrections(event))?.unwrap_or_default())
    }

    /// The closed billing periods of a level, by their ends.
    pub fn history(
        &self,
        subject: &SubjectId,
    ) -> Result<BTreeMap<Timestamp, Arc<BillingEntry>>, StoreError> {
        let rows = self.tree.scan_prefix(Key::new(b'H', &[subject.as_str().as_bytes(), &[0]]).0);
        let entries = rows.values().map(|row| {
            let entry: Arc<BillingEntry> = one_part(&row?, "a billing entry")?;
            Ok((entry.end, entry))
        });
        entries.collect()
    }

    /// The first levels whose billing periods are due.
    pub fn due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, SubjectId)>, StoreError> {
        let end = Timestamp::from_micros(now.micros().saturating_add(1));
        let rows =
            self.tree.range(Key::new(b'P', &[]).0..Key::new(b'P', &[&in_order(end.micros())]).0);
        rows.keys().take(limit).map(|key| due_of(&key?)).collect()
    }

    pub fn forget_due(&self, due: &[(Timestamp, SubjectId)]) -> Result<(), StoreError> {
        let mut writer = RowWriter { rows: self, batch: sled::Batch::default(), waiting: 0 };
        for (at, subject) in due {
            writer.remove(&Key::due(*at, subject))?;
        }
        writer.finish()
    }

    pub fn open_reservations(
        &self,
        root: &RootId,
    ) -> impl Iterator<Item = Result<Arc<Reservation>, StoreError>> {
        let prefix = Key::new(b'O', &[&ReservationId::root_hash(root)]);
        self.reservations(prefix)
    }

    /// Writes an overlay's rows, then that they contain all blocks up to its last.
    pub fn condense(&self, overlay: &Overlay, last_instant: Timestamp) -> Result<(), StoreError> {
        let (last, as_of) = (overlay.last(), overlay.last().block);
        let mut writer = RowWriter { rows: self, batch: sled::Batch::default(), waiting: 0 };
        for (subject, (version, account)) in &overlay.accounts {
            writer.put(&Key::account(subject), &(as_of, version, account))?;
        }
        for (subject, days) in &overlay.days {
            for (day, used) in days {
                let key = Key::day(subject, *day);
                let (as_of_row, mut quarters): (u64, Quarters) =
                    self.get(&key)?.unwrap_or_default();
                if as_of_row >= as_of {
                    continue;
                }
                used.apply(&mut quarters)?;
                writer.put(&key, &(as_of, quarters))?;
            }
        }
        let names: BTreeMap<_, _> = overlay.events.iter().map(|(name, id)| (*name, *id)).collect();
        self.add_names(names.into_iter())?;
        for (event, corrections) in &overlay.corrections {
            let corrections = self.corrections(*event)?.into_iter().chain(corrections.clone());
            let corrections: BTreeSet<_> = corrections.collect();
            writer.put(&Key::corrections(*event), &corrections)?;
        }
        for ((subject, end), entry) in &overlay.history {
            writer.put(&Key::entry(subject, *end), entry)?;
        }
        for (at, subject) in &overlay.due {
            // The key says it all.
            writer.put(&Key::due(*at, subject), &true)?;
        }
        for ((subject, period), added) in &overlay.refusal_counts {
            let (as_of, mut counts) = self.refusal_count(subject, period)?;
            if as_of < last.refusals {
                counts.add_all(added);
                writer.put(&Key::refusal_counts(subject, period), &(last.refusals, counts))?;
            }
        }
        for (subject, block) in &overlay.refused {
            // The key says it all.
            writer.put(&Key::refused(subject, *block), &true)?;
        }
        for marked in overlay.marks.values() {
            writer.put(&Key::mark(marked), marked)?;
        }
        for reservation in overlay.reservations.values() {
            let (open, ended) = (Key::open(reservation.id), Key::ended(reservation.id));
            match reservation.outcome {
                Outcome::Open => writer.put(&open, reservation)?,
                Outcome::Settled { .. } | Outcome::Released => {
                    writer.put(&ended, reservation)?;
                    writer.remove(&open)?;
                }
            }
        }
        writer.finish()?;
        self.sync()?;
        let mut checkpoint = RowWriter { rows: self, batch: sled::Batch::default(), waiting: 0 };
        checkpoint.put(&Key::checkpoint(), &(last, last_instant))?;
        checkpoint.finish()
    }

    /// The last block of refusals that a period's counts contain, and the counts.
    pub fn refusal_count(
        &self,
        subject: &SubjectId,
        period: &PeriodId,
    ) -> Result<(u64, RefusalCounts), StoreError> {
        Ok(self.get(&Key::refusal_counts(subject, period))?.unwrap_or_default())
    }

    /// How often a level was refused something, by billing period, each as of some block.
    pub fn refusal_counts(
        &self,
        subject: &SubjectId,
    ) -> Result<BTreeMap<PeriodId, (u64, RefusalCounts)>, StoreError> {
        let prefix = Key::new(b'N', &[subject.as_str().as_bytes(), &[0]]);
        let firsts = self.tree.scan_prefix(&prefix.0).keys().filter_map(|key| match key {
            Ok(key) => key.strip_suffix(&[0]).map(|key| Ok(Key(key.to_vec()))),
            Err(error) => Some(Err(StoreError::from(error))),
        });
        let counts = firsts.map(|key| {
            let key = key?;
            let name = key.0.get(prefix.0.len()..).and_then(|name| str::from_utf8(name).ok());
            let period = name.and_then(|name| name.parse().ok());
            let period = period.ok_or_else(|| unreadable("the period of a key"))?;
            Ok((period, self.get(&key)?.unwrap_or_default()))
        });
        counts.collect()
    }

    /// The blocks in which a level was refused something.
    pub fn refusals_of(
        &self,
        subject: &SubjectId,
    ) -> impl DoubleEndedIterator<Item = Result<u64, StoreError>> {
        let prefix = Key::new(b'f', &[subject.as_str().as_bytes(), &[0]]);
        self.tree.scan_prefix(prefix.0).keys().map(|key| {
            let key = key?;
            block_number(key.strip_suffix(&[0]).unwrap_or(&key))
        })
    }

    /// A block of refusals.
    pub fn refusals(&self, number: u64) -> Result<Option<Vec<Entry>>, StoreError> {
        let block = self.tree.get(Key::refusals(number).as_bytes())?;
        block.map(|block| block::read(number, &block)).transpose()
    }

    /// The blocks of refusals from this one on, each with its number.
    pub fn refusals_from(&self, number: u64) -> impl DoubleEndedIterator<Item = Block> + use<> {
        self.blocks_between(Key::refusals(number), Key::refusals(u64::MAX))
    }

    /// Forgets blocks of refusals all of which were refused before `before`: a bounded number in
    /// one round.
    pub fn forget_refusals(&self, before: Timestamp) -> Result<(), StoreError> {
        let mut writer = RowWriter { rows: self, batch: sled::Batch::default(), waiting: 0 };
        for block in self.refusals_from(0).take(FORGET_BLOCKS) {
            let (number, entries) = block?;
            let entries = entries?;
            if entries.iter().any(|entry| entry.at >= before) {
                break;
            }
            let levels: BTreeSet<_> =
                entries.iter().flat_map(|entry| entry.change.levels()).collect();
            for subject in levels {
                writer.remove(&Key::refused(&subject, number))?;
            }
            writer.batch.remove(Key::refusals(number).as_bytes());
            writer.waited()?;
        }
        writer.finish()
    }

    /// Forgets reservations that ended and were created before `before`.
    pub fn forget_ended(&self, before: Timestamp) -> Result<(), StoreError> {
        let range =
            Key::ended(ReservationId::FIRST).0..Key::ended(ReservationId::first_at(before)).0;
        self.forget(range)
    }

    /// Forgets the marks of the days before that of `before`.
    pub fn forget_marks(&self, before: Timestamp) -> Result<(), StoreError> {
        self.forget(Key::marks_on(Day::MIN).0..Key::marks_on(Quarter::of(before).day()).0)
    }

    /// Removes rows that lie in the order of time: a bounded number in one round, the rest in the
    /// next.
    fn forget(&self, range: Range<Vec<u8>>) -> Result<(), StoreError> {
        let mut writer = RowWriter { rows: self, batch: sled::Batch::default(), waiting: 0 };
        for key in self.tree.range(range).keys().take(FORGET_ROWS) {
            writer.batch.remove(key?);
            writer.waited()?;
        }
        writer.finish()
    }

    /// Forgets reservations that were never settled and were created before `before`.
    pub fn forget_open(&self, before: Timestamp) -> Result<(), StoreError> {
        for reservation in self.reservations(Key::new(b'O', &[])) {
            let reservation = reservation?;
            if reservation.created_at < before {
                self.tree.remove(Key::open(reservation.id).part(0))?;
            }
        }
        Ok(())
    }

    /// Reservations are at most one part long: their callers' texts are bounded.
    fn reservations(
        &self,
        prefix: Key,
    ) -> impl Iterator<Item = Result<Arc<Reservation>, StoreError>> + use<> {
        let firsts = self.tree.scan_prefix(prefix.0);
        firsts.values().map(|value| one_part(&value?, "a reservation"))
    }

    pub fn sync(&self) -> Result<(), StoreError> {
        self.tree.flush()?;
        self.file.sync_data().map_err(|error| StoreError(format!("cannot sync the data: {error}")))
    }
}

/// Opens sled's file and closes it again, so that sled writes down where all rows lie: what it has
/// to read at the next start is then no more than the end of its log.
pub fn settle(folder: &Path) -> Result<(), StoreError> {
    Ok(open_tree(folder).map(drop)?)
}

/// Opens sled, waiting a little for a process that is just ending.
fn open_tree(folder: &Path) -> sled::Result<sled::Db> {
    // Every commit is flushed as it is made: no thread need do it behind it.
    let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    let patience = Instant::now();
    loop {
        match config.open() {
            Err(error) if is_locked(&error) && patience.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(LOCK_PATIENCE / 50);
            }
            outcome => return outcome,
        }
    }
}

/// sled reports a lock that somebody else holds as an I/O error of no particular kind.
fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(io) if io.kind() == io::ErrorKind::Other
        && io.to_string().starts_with("could not acquire lock"))
}

/// Writes rows a batch at a time.
struct RowWriter<'a> {
    rows: &'a Rows,
    batch: sled::Batch,
    waiting: usize,
}

impl RowWriter<'_> {
    fn put<T: Serialize>(&mut self, key: &Key, value: &T) -> Result<(), StoreError> {
        let bytes = postcard::to_stdvec(value)
            .map_err(|error| StoreError(format!("cannot encode a row: {error}")))?;
        let parts = bytes.chunks(VALUE_BYTES_MAX - 1).enumerate();
        let last = parts.len().saturating_sub(1);
        for (number, part) in parts {
            let name = u8::try_from(number).map_err(|_| StoreError("a row is too large".into()))?;
            let value = [&[u8::from(number < last)], part].concat();
            self.batch.insert(key.part(name), value);
        }
        self.waited()
    }

    fn remove(&mut self, key: &Key) -> Result<(), StoreError> {
        self.batch.remove(key.part(0));
        self.waited()
    }

    fn waited(&mut self) -> Result<(), StoreError> {
        self.waiting += 1;
        if self.waiting < BATCH_ROWS {
            return Ok(());
        }
        self.waiting = 0;
        Ok(self.rows.tree.apply_batch(std::mem::take(&mut self.batch))?)
    }

    fn finish(self) -> Result<(), StoreError> {
        Ok(self.rows.tree.apply_batch(self.batch)?)
    }
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Corruption { at: Some(at), .. } => {
                Self(format!("sled's files are damaged: {at:?}"))
            }
            sled::Error::Corruption { at: None, .. } => Self("sled's files are damaged".into()),
            error => Self(error.to_string()),
        }
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    postcard::from_bytes(bytes).map_err(|error| StoreError(format!("a row is damaged: {error}")))
}

/// The value of a row that is never longer than one part.
fn one_part<T: DeserializeOwned>(value: &[u8], what: &str) -> Result<T, StoreError> {
    match value.split_first() {
        Some((0, bytes)) => decode(bytes),
        _ => Err(unreadable(what)),
    }
}

/// A number as bytes that sort like it.
fn in_order(number: i64) -> [u8; 8] {
    (number.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The number that bytes begin with which sort like it.
fn in_order_at(bytes: &[u8]) -> Option<i64> {
    let number = u64::from_be_bytes(*bytes.first_chunk()?);
    Some((number ^ (1 << 63)).cast_signed())
}

/// What the key of a due row says.
fn due_of(key: &[u8]) -> Result<(Timestamp, SubjectId), StoreError> {
    let due = || {
        let key = key.strip_prefix(b"P")?.strip_suffix(&[0])?;
        let (at, subject) = (in_order_at(key)?, str::from_utf8(key.get(8..)?).ok()?);
        Some((Timestamp::from_micros(at), subject.parse().ok()?))
    };
    due().ok_or_else(|| unreadable("the key of a period that is due"))
}

/// The day that a key ends with.
fn last_day(key: &[u8]) -> Result<Day, StoreError> {
    let bytes: &[u8; 8] = key.last_chunk().ok_or_else(|| unreadable("a day's key"))?;
    in_order_at(bytes).ok_or_else(|| unreadable("a day's key"))
}

fn block_number(key: &[u8]) -> Result<u64, StoreError> {
    let bytes = key.last_chunk().ok_or_else(|| unreadable("a block's key"))?;
    Ok(u64::from_be_bytes(*bytes))
}

fn unreadable(what: &str) -> StoreError {
    StoreError(format!("{what} is unreadable"))
}
