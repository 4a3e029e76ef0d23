//! The rows of the one tree: their keys, their encoding, and how they get to disk.
//!
//! One tree, because sled's batches are atomic within one. Every row that blocks add up to says
//! which block it is `as_of`, so that replaying a block twice adds it once.

mod billing;
mod condense;
mod inventory;
mod key;
mod names;
mod refusals;
mod shelf;
mod writer;

use std::fs::File;
use std::io;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::de::DeserializeOwned;
use tollgate_domain::{RootId, SubjectId, Timestamp};

pub use self::key::Key;
use self::key::in_order_at;
use self::names::Names;
use self::writer::RowWriter;
use super::block::{self, Entry};
use super::folder::{self, LOCK_PATIENCE};
use super::overlay::{Day, Last, Quarter, Quarters};
use crate::account::Account;
use crate::event::{EventId, Fingerprint};
use crate::reservation::{Reservation, ReservationId};
use crate::store::{Marked, StoreError, Version};

/// sled moves pages of large values into files of their own; values of this size never are.
pub const VALUE_BYTES_MAX: usize = 8 * 1024;

/// sled's own default is a GiB.
const CACHE_BYTES: u64 = 128 * 1024 * 1024;

/// Rows forgotten in a round: more than a busy service adds in the second between two.
const FORGET_ROWS: usize = 16 * 1024;

pub struct Rows {
    tree: sled::Db,
    file: File,
    names: Names,
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

    pub fn open_reservations(
        &self,
        root: &RootId,
    ) -> impl Iterator<Item = Result<Arc<Reservation>, StoreError>> {
        let prefix = Key::new(b'O', &[&ReservationId::root_hash(root)]);
        self.reservations(prefix)
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
        let mut writer = RowWriter::to(self);
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
