//! Blocks: the journal, and the home of the events.

use serde::{Deserialize, Serialize};
use tollgate_domain::Timestamp;

use super::rows::{Key, VALUE_BYTES_MAX};
use crate::event::EventId;
use crate::store::{Change, Mark, StoreError, Unit};

/// The first byte of every block: how the rest is to be read.
const FORMAT: u8 = 1;

/// One unit, as it is kept for ever.
#[derive(Serialize, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    pub change: Change,
    pub mark: Option<Mark>,
}

/// Packs entries into blocks: the journal's, and those of refusals.
pub struct Writer {
    batch: sled::Batch,
    journal: Packer,
    refusals: Packer,
}

/// The numbers of the blocks that come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    pub block: u64,
    pub refusals: u64,
}

struct Packer {
    key: fn(u64) -> Key,
    block: Vec<u8>,
    next: EventId,
}

impl Writer {
    pub fn new(next: Next) -> Self {
        Self {
            batch: sled::Batch::default(),
            journal: Packer::new(Key::block, next.block),
            refusals: Packer::new(Key::refusals, next.refusals),
        }
    }

    /// Appends a unit, and tells where.
    pub fn push(&mut self, unit: &Unit) -> Result<EventId, StoreError> {
        #[derive(Serialize)]
        struct EntryRef<'a> {
            at: Timestamp,
            change: &'a Change,
            mark: Option<Mark>,
        }
        let entry = EntryRef { at: unit.at, change: &unit.change, mark: unit.turn.mark() };
        let entry = postcard::to_stdvec(&entry)
            .map_err(|error| StoreError(format!("cannot encode a unit: {error}")))?;
        match unit.change {
            Change::Refused(_) => Ok(self.refusals.push(entry, &mut self.batch)),
            _ => Ok(self.journal.push(entry, &mut self.batch)),
        }
    }

    /// What to write, and what comes after it.
    pub fn finish(mut self) -> (sled::Batch, Next) {
        let block = self.journal.finish(&mut self.batch);
        let refusals = self.refusals.finish(&mut self.batch);
        (self.batch, Next { block, refusals })
    }
}

impl Packer {
    fn new(key: fn(u64) -> Key, first: u64) -> Self {
        Self { key, block: vec![FORMAT], next: EventId { block: first, index: 0 } }
    }

    fn push(&mut self, entry: Vec<u8>, batch: &mut sled::Batch) -> EventId {
        if self.next.index > 0 && self.block.len() + entry.len() > VALUE_BYTES_MAX {
            self.end_block(batch);
        }
        self.block.extend(entry);
        let id = self.next;
        self.next.index += 1;
        id
    }

    /// The number of the block after the last.
    fn finish(&mut self, batch: &mut sled::Batch) -> u64 {
        if self.next.index > 0 {
            self.end_block(batch);
        }
        self.next.block
    }

    fn end_block(&mut self, batch: &mut sled::Batch) {
        let block = std::mem::replace(&mut self.block, vec![FORMAT]);
        batch.insert((self.key)(self.next.block).as_bytes(), block);
        self.next = EventId { block: self.next.block + 1, index: 0 };
    }
}

/// The entries of a block.
pub fn read(number: u64, bytes: &[u8]) -> Result<Vec<Entry>, StoreError> {
    let mut rest = match bytes.split_first() {
        Some((&FORMAT, rest)) => rest,
        _ => return Err(StoreError(format!("block {number} has an unknown format"))),
    };
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let entry;
        (entry, rest) = postcard::take_from_bytes(rest)
            .map_err(|error| StoreError(format!("block {number} is damaged: {error}")))?;
        entries.push(entry);
    }
    Ok(entries)
}
