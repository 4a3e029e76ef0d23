//! The rows of the one tree: their keys, their encoding, and how they get to disk.
//!
//! One tree, because sled's batches are atomic within one. Every row that blocks add up to says
//! which block it is `as_of`, so that replaying a block twice adds it once.

mod inventory;

use std::fs::File;
use std::io;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tollgate_domain::{RootId, SubjectId, Timestamp};

use super::block::{self, Entry};
use super::overlay::{Day, EventName, Overlay, Quarter, Quarters};
use crate::account::Account;
use crate::event::{EventId, Fingerprint};
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

/// How long to wait for the lock: sled's own threads hold it a moment beyond their end.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

pub struct Rows {
    tree: sled::Db,
    file: File,
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

    pub fn event_name(name: &EventName) -> Self {
        Self::new(b'E', &[name])
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

/// sled's file, in the folder.
const FILE: &str = "db";

impl Rows {
    /// Opens what is there, and creates nothing.
    pub fn open_existing(folder: &Path) -> Result<Self, StoreError> {
        match folder.join(FILE).exists() {
            true => Self::open(folder),
            false => Err(StoreError(format!("there is no data in {}", folder.display()))),
        }
    }

    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let failed = |error: &dyn std::fmt::Display| {
            StoreError(format!("cannot open the data in {}: {error}", folder.display()))
        };
        std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        let tree = open_tree(folder).map_err(|error| match is_locked(&error) {
            true => failed(&"another process is using it"),
            false => failed(&error),
        })?;
        let file = File::open(folder.join(FILE)).map_err(|error| failed(&error))?;
        let sync = |path: &Path| File::open(path)?.sync_all();
        sync(folder).map_err(|error| failed(&error))?;
        Ok(Self { tree, file })
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

    /// The last block that all rows contain, and the latest instant in it.
    pub fn checkpoint(&self) -> Result<Option<(u64, Timestamp)>, StoreError> {
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

    /// The blocks, each with its number, and its entries unless it is damaged.
    pub fn blocks_after(
        &self,
        number: u64,
    ) -> impl Iterator<Item = Result<(u64, Result<Vec<Entry>, StoreError>), StoreError>> + use<>
    {
        let blocks = self.tree.range(Key::block(number + 1).0..Key::block(u64::MAX).0);
        blocks.map(|row| {
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

    pub fn open_reservations(
        &self,
        root: &RootId,
    ) -> impl Iterator<Item = Result<Arc<Reservation>, StoreError>> {
        let prefix = Key::new(b'O', &[&ReservationId::root_hash(root)]);
        self.reservations(prefix)
    }

    /// Writes an overlay's rows, then that they contain all blocks up to its last.
    pub fn condense(&self, overlay: &Overlay, last_instant: Timestamp) -> Result<(), StoreError> {
        let as_of = overlay.last_block();
        let mut writer = RowWriter { rows: self, batch: sled::Batch::default(), waiting: 0 };
        for (subject, (version, account)) in &overlay.accounts {
            writer.put(&Key::account(subject), &(as_of, version, account))?;
        }
        for (subject, days) in &overlay.days {
            for (day, added) in days {
                let key = Key::day(subject, *day);
                let (as_of_row, mut quarters): (u64, Quarters) =
                    self.get(&key)?.unwrap_or_default();
                if as_of_row >= as_of {
                    continue;
                }
                for (quarter, used) in added {
                    let table = quarters.entry(*quarter).or_default();
                    table.add_all(used).map_err(|overflow| StoreError(overflow.to_string()))?;
                }
                writer.put(&key, &(as_of, quarters))?;
            }
        }
        for (name, id) in &overlay.events {
            writer.put(&Key::event_name(name), id)?;
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
        checkpoint.put(&Key::checkpoint(), &(as_of, last_instant))?;
        checkpoint.finish()
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
    matches!(error, sled::Error::Io(io) if io.kind() == io::ErrorKind::Other)
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
        Self(error.to_string())
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

/// A day as bytes that sort like it.
fn in_order(day: Day) -> [u8; 8] {
    ((day as u64) ^ (1 << 63)).to_be_bytes()
}

/// The day that a key ends with.
fn last_day(key: &[u8]) -> Result<Day, StoreError> {
    let bytes = key.last_chunk().ok_or_else(|| unreadable("a day's key"))?;
    Ok((u64::from_be_bytes(*bytes) ^ (1 << 63)) as Day)
}

fn block_number(key: &[u8]) -> Result<u64, StoreError> {
    let bytes = key.last_chunk().ok_or_else(|| unreadable("a block's key"))?;
    Ok(u64::from_be_bytes(*bytes))
}

fn unreadable(what: &str) -> StoreError {
    StoreError(format!("{what} is unreadable"))
}
