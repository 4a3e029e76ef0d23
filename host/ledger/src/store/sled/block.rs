//! Blocks: the journal, and the home of the events.

use super::rows::{Key, VALUE_BYTES_MAX};
use crate::event::EventId;
use crate::store::block::{Builder, encode};
pub use crate::store::block::{Entry, Opened, read, read_one};
use crate::store::{Change, StoreError, Unit};

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
    block: Builder,
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
        let entry = encode(unit.at, &unit.change, unit.turn.mark())?;
        match unit.change {
            Change::Refused(_) => Ok(self.refusals.push(&entry, &mut self.batch)),
            _ => Ok(self.journal.push(&entry, &mut self.batch)),
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
        Self { key, block: Builder::default(), next: EventId { block: first, index: 0 } }
    }

    fn push(&mut self, entry: &[u8], batch: &mut sled::Batch) -> EventId {
        if self.next.index > 0 && self.block.bytes() + entry.len() > VALUE_BYTES_MAX {
            self.end_block(batch);
        }
        self.block.push(entry);
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
        batch.insert((self.key)(self.next.block).as_bytes(), self.block.finish());
        self.next = EventId { block: self.next.block + 1, index: 0 };
    }
}
