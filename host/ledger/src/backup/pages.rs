//! A backup of a ledger, as it is made.

use std::collections::VecDeque;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use super::writer::Writer;
use crate::ledger::LedgerError;
use crate::store::{Store, StoreError, block};

/// Few enough that a page takes next to no memory or time: some 128 KiB.
const PAGE_BLOCKS: usize = 16;

/// Everything that was committed when this was made, read page by page: blocks never change, so
/// that whatever is committed meanwhile waits for nothing and makes no difference.
pub struct Backup<S> {
    store: Arc<S>,
    blocks: Range<u64>,
    refusals: Range<u64>,
    /// What was shelved then: it never changes, and what is shelved refers to nothing later.
    shelf: VecDeque<String>,
    events: u64,
    /// Bytes that wait for the next page.
    page: Vec<u8>,
    /// `None` after the end.
    writer: Option<Writer>,
}

impl<S: Store> Backup<S> {
    /// May block.
    pub fn new(store: Arc<S>) -> Result<Self, LedgerError> {
        let (blocks, refusals) = (store.blocks(), store.refusals_blocks()?);
        let shelf = store.shelf("")?.into();
        let mut page = Vec::new();
        let writer = Writer::begin(blocks.end - blocks.start, &mut page)?;
        Ok(Self { store, blocks, refusals, shelf, events: 0, page, writer: Some(writer) })
    }

    /// The next bytes; `None` after the last. May block. After an error there is no end, and
    /// without one nobody takes it for a backup.
    pub fn page(&mut self) -> Result<Option<Vec<u8>>, LedgerError> {
        let Some(mut writer) = self.writer.take() else { return Ok(None) };
        if self.blocks.is_empty() && self.refusals.is_empty() {
            let Some(name) = self.shelf.pop_front() else {
                writer.end(self.events, &mut self.page)?;
                return Ok(Some(mem::take(&mut self.page)));
            };
            let lost = || StoreError(format!("`{name}` is missing"));
            let bytes = self.store.shelved(&name)?.ok_or_else(lost)?;
            writer.shelved(&name, &bytes, &mut self.page)?;
        } else if self.blocks.is_empty() {
            for number in self.refusals.by_ref().take(PAGE_BLOCKS) {
                // One that is not there any more was forgotten meanwhile.
                let Some(block) = self.store.refusals_block(number)? else { continue };
                let too_large = |error| StoreError(format!("refusals {number}: {error}"));
                writer.refusals(number, &block, &mut self.page).map_err(too_large)?;
            }
        } else {
            for number in self.blocks.by_ref().take(PAGE_BLOCKS) {
                let block = self.store.block(number)?;
                // One that nobody could restore is better found out now.
                let entries = block::read(number, &block)?;
                self.events +=
                    entries.iter().filter_map(|entry| entry.change.event()).count() as u64;
                let too_large = |error| StoreError(format!("block {number}: {error}"));
                writer.block(number, &block, &mut self.page).map_err(too_large)?;
            }
        }
        self.writer = Some(writer);
        Ok(Some(mem::take(&mut self.page)))
    }
}
