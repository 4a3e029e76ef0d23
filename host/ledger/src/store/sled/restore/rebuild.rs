//! Rows out of blocks.

use std::collections::HashMap;
use std::mem;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tollgate_domain::{SubjectId, Timestamp};

use super::Restored;
use crate::event::EventId;
use crate::store::sled::SledStore;
use crate::store::sled::block::{self, Entry};
use crate::store::sled::overlay::Day;
use crate::store::sled::rows::Key;
use crate::store::{Store, StoreError};

/// Blocks written in one go.
const BATCH_BLOCKS: u64 = 64;

/// Blocks added up in memory before they are condensed, some 32 MiB of them: fewer would take less
/// memory, and write each account and day more often.
const CONDENSE_BLOCKS: u64 = 4096;

/// Data that are being made of blocks, and that nobody uses yet: nothing is synced before the
/// end.
pub struct Rebuild {
    folder: PathBuf,
    store: SledStore,
    batch: sled::Batch,
    condensed_days: HashMap<(SubjectId, Day), u64>,
    blocks: u64,
    events: u64,
    digest: Sha256,
    /// The pieces so far of what is shelved under the name that comes next.
    shelved: Vec<u8>,
}

impl Rebuild {
    pub fn begin(folder: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            folder: folder.to_owned(),
            store: SledStore::open(folder)?,
            batch: sled::Batch::default(),
            condensed_days: HashMap::new(),
            blocks: 0,
            events: 0,
            digest: Sha256::new(),
            shelved: Vec::new(),
        })
    }

    /// The entries of the block that must come next.
    pub fn read(&self, number: u64, block: &[u8]) -> Result<Vec<Entry>, StoreError> {
        let due = self.blocks + 1;
        if number != due {
            return Err(StoreError(format!("block {number} comes where block {due} is due")));
        }
        block::read(number, block)
    }

    /// Takes in a block: its bytes, and what they say.
    pub fn add(&mut self, number: u64, block: &[u8], entries: &[Entry]) -> Result<(), StoreError> {
        for (index, entry) in (0..).zip(entries) {
            let id = EventId { block: number, index };
            self.store.replay(id, entry, &mut self.condensed_days)?;
            self.events += u64::from(entry.change.event().is_some());
            let memory = self.store.memory.get_mut();
            memory.last_instant = memory.last_instant.max(entry.at);
        }
        self.batch.insert(Key::block(number).as_bytes(), block);
        add_to(&mut self.digest, number, block);
        self.blocks = number;
        if number.is_multiple_of(BATCH_BLOCKS) {
            self.write()?;
        }
        if number.is_multiple_of(CONDENSE_BLOCKS) {
            self.condense()?;
            self.condensed_days.clear();
        }
        Ok(())
    }

    /// Takes in a block of refusals.
    pub fn add_refusals(
        &mut self,
        number: u64,
        block: &[u8],
        entries: &[Entry],
    ) -> Result<(), StoreError> {
        for (index, entry) in (0..).zip(entries) {
            self.store.replay_refusal(EventId { block: number, index }, entry)?;
            let memory = self.store.memory.get_mut();
            memory.last_instant = memory.last_instant.max(entry.at);
        }
        self.batch.insert(Key::refusals(number).as_bytes(), block);
        if number.is_multiple_of(BATCH_BLOCKS) {
            self.write()?;
        }
        if number.is_multiple_of(CONDENSE_BLOCKS) {
            self.condense()?;
        }
        Ok(())
    }

    /// Takes in a piece of what was shelved; so many more of it follow.
    pub fn add_shelved(&mut self, name: &str, piece: &[u8], left: u32) -> Result<(), StoreError> {
        self.shelved.extend_from_slice(piece);
        match left {
            0 => self.store.rows.shelve(name, &mem::take(&mut self.shelved)),
            _ => Ok(()),
        }
    }

    /// Condenses the rest, opens the data anew and reads all blocks again: what lies in the folder
    /// now is what was taken in. `progress` hears how many were read.
    pub fn finish(mut self, mut progress: impl FnMut(u64)) -> Result<Restored, StoreError> {
        self.write()?;
        self.condense()?;
        self.store.rows.sync()?;
        self.store.closing.reached(self.blocks);
        let Self { store, folder, blocks, events, digest, .. } = self;
        drop(store);

        let store = SledStore::inspect(&folder)?;
        let rows = &store.rows;
        let (last, mut found) = (rows.last_block()?, Sha256::new());
        // One by one, and not as a range: sled lets go of pages after so many reads, not pages.
        for number in 1..=last {
            let lost = || StoreError(format!("block {number} was written and is not there"));
            add_to(&mut found, number, &rows.raw_block(number)?.ok_or_else(lost)?);
            progress(number);
        }
        if last != blocks || found.finalize() != digest.finalize() {
            let what = format!("{blocks} blocks were written, and {last} others are there");
            return Err(StoreError(what));
        }
        let accounts = rows.accounts().try_fold(0, |count, account| account.map(|_| count + 1))?;
        Ok(Restored { blocks, events, accounts })
    }

    fn condense(&self) -> Result<(), StoreError> {
        self.store.condense()?;
        // What may be forgotten is for the first round of maintenance.
        self.store.rows.tidy(Timestamp::EPOCH, self.store.last_instant())
    }

    fn write(&mut self) -> Result<(), StoreError> {
        self.store.rows.write(mem::take(&mut self.batch))
    }
}

fn add_to(digest: &mut Sha256, number: u64, block: &[u8]) {
    digest.update(number.to_le_bytes());
    digest.update((block.len() as u64).to_le_bytes());
    digest.update(block);
}
