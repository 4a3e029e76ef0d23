//! The rows of the one tree: their keys, their encoding, and how they get to disk.
//!
//! One tree, because sled's batches are atomic within one. Every row that blocks add up to says
//! which block it is `as_of`, so that replaying a block twice adds it once.

mod billing;
mod condense;
mod days;
mod inventory;
mod key;
mod levels;
mod months;
mod names;
mod outbox;
mod place;
mod refusals;
mod reservations;
mod runs;
mod shelf;
mod subscriptions;
mod writer;

use std::fs::File;
use std::io;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::de::DeserializeOwned;
use tollgate_domain::{SubjectId, Timestamp};

pub use self::days::DayRow;
pub use self::key::Key;
use self::key::in_order_at;
use self::levels::{ALERTS, LOGS};
use self::names::NAMES;
pub use self::outbox::keys_of_delivery;
use self::reservations::{HELD, PLACES};
use self::runs::Runs;
use self::writer::RowWriter;
use super::block::{self, Entry};
use super::folder::{self, LOCK_PATIENCE};
use super::overlay::{Day, Last, Quarter};
use crate::account::Account;
use crate::event::{EventId, Fingerprint};
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
    names: Runs,
    places: Runs,
    held: Runs,
    logs: Runs,
    alerts: Runs,
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
        let runs = |kind| Runs::load(kind, &tree);
        let (names, places, held) = (runs(&NAMES)?, runs(&PLACES)?, runs(&HELD)?);
        let (logs, alerts) = (runs(&LOGS)?, runs(&ALERTS)?);
        Ok(Self { tree, file, names, places, held, logs, alerts })
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
        let Some(mut first) = self.tree.get(key.part(0))? else { return Ok(None) };
        loop {
            let whole = self.rest_of(key, &first)?;
            // Parts are written together, and read one by one: those of a row that is written
            // meanwhile do not belong to this first one.
            let again =
                if first.first() == Some(&0) { None } else { self.tree.get(key.part(0))? };
            match again {
                Some(again) if again != first => first = again,
                _ => return decode(&whole.ok_or_else(|| unreadable("a row"))?).map(Some),
            }
        }
    }

    /// A row's bytes, of which this is the first part; `None` where another is missing.
    fn rest_of(&self, key: &Key, first: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some((mut more, bytes)) = first.split_first().map(|(more, bytes)| (*more, bytes))
        else {
            return Ok(None);
        };
        let mut bytes = bytes.to_vec();
        for part in 1..=u8::MAX {
            if more == 0 {
                break;
            }
            let value = self.tree.get(key.part(part))?;
            let Some((next, rest)) = value.as_deref().and_then(<[u8]>::split_first) else {
                return Ok(None);
            };
            bytes.extend_from_slice(rest);
            more = *next;
        }
        Ok((more == 0).then_some(bytes))
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
        let Some(block) = self.tree.get(Key::block(id.block).as_bytes())? else { return Ok(None) };
        block::read_one(id.block, &block, id.index)
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
