//! Blocks: the journal, and the home of the events.

use super::rows::{Key, VALUE_BYTES_MAX};
use crate::event::EventId;
pub use crate::store::block::{Entry, read};
use crate::store::block::{FORMAT, encode};
use crate::store::{StoreError, Unit};

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
        let entry = encode(unit.at, &unit.change, unit.turn.mark())?;
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
