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

/// Packs entries into blocks.
pub struct Writer {
    batch: sled::Batch,
    block: Vec<u8>,
    next: EventId,
}

impl Writer {
    pub fn new(first_block: u64) -> Self {
        let next = EventId { block: first_block, index: 0 };
        Self { batch: sled::Batch::default(), block: vec![FORMAT], next }
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
        if self.next.index > 0 && self.block.len() + entry.len() > VALUE_BYTES_MAX {
            self.end_block();
        }
        self.block.extend(entry);
        let id = self.next;
        self.next.index += 1;
        Ok(id)
    }

    /// What to write, and the number of the block after the last.
    pub fn finish(mut self) -> (sled::Batch, u64) {
        if self.next.index > 0 {
            self.end_block();
        }
        (self.batch, self.next.block)
    }

    fn end_block(&mut self) {
        let block = std::mem::replace(&mut self.block, vec![FORMAT]);
        self.batch.insert(Key::block(self.next.block).as_bytes(), block);
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
