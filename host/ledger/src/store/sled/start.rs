//! How a store comes to be what it was: rows as far as they reach, and the blocks since.

use std::collections::{HashMap, hash_map};
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tollgate_domain::{SubjectId, Timestamp};

use super::block::{self, Entry};
use super::closing::{self, Closing};
use super::folder::{self, Found};
use super::overlay::{Day, Last, Overlay, Quarter};
use super::rows::Rows;
use super::{Memory, SledStore, Writer, quiet};
use crate::event::EventId;
use crate::store::{AccountChange, Change, StoreError};

impl SledStore {
    /// Opens the data in `folder`, creating it if there is none, and replays what has not been
    /// condensed.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::opened(folder, |found| {
            let mut store = Self::replayed(folder, found, Err)?;
            if let Some(doubt) = &found.doubt {
                tracing::warn!("{doubt}; adding up all blocks anew");
                store.dispel()?;
            }
            let last_block = store.writer.get_mut().next.block - 1;
            store.closing.begin(last_block)?;
            Ok(store)
        })
    }

    /// Opens data that is there already, passing over what is damaged: to be looked at, and never
    /// to be committed to.
    pub fn inspect(folder: &Path) -> Result<Self, StoreError> {
        if !folder::has_data(folder) {
            return Err(StoreError(format!("there is no data in {}", folder.display())));
        }
        Self::opened(folder, |found| {
            let mut store = Self::replayed(folder, found, |_| Ok(()))?;
            store.closing.look();
            Ok(store)
        })
    }

    fn opened(
        folder: &Path,
        open: impl FnOnce(&Found) -> Result<Self, StoreError>,
    ) -> Result<Self, StoreError> {
        let opened = quiet::or_damaged(|| {
            let mut found = folder::prepare(folder)?;
            closing::reopen(folder, &mut found)?;
            open(&found).map_err(|error| match &found.doubt {
                Some(doubt) => StoreError(format!("{doubt}: {error}")),
                None => error,
            })
        });
        opened.map_err(|error| {
            StoreError(format!("cannot open the data in {}: {error}", folder.display()))
        })
    }

    fn replayed(
        folder: &Path,
        found: &Found,
        damaged: impl Fn(StoreError) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let rows = Rows::open(folder)?;
        let checkpoint = rows.checkpoint().or_else(|error| damaged(error).map(|()| None))?;
        let (condensed, mut last_instant) =
            checkpoint.unwrap_or((Last::default(), Timestamp::EPOCH));
        let next = block::Next { block: condensed.block + 1, refusals: condensed.refusals + 1 };
        let mut store = Self {
            rows,
            writer: Mutex::new(Writer { next }),
            memory: RwLock::new(Memory {
                current: Overlay::after(condensed),
                condensing: None,
                last_instant,
            }),
            maintenance: Mutex::default(),
            closing: Closing::new(folder, found),
        };
        let mut replayed = 0_u64;
        let mut condensed_days = HashMap::new();
        for block in store.rows.blocks_after(condensed.block) {
            let (number, entries) = block?;
            let next = store.writer.get_mut().next.block;
            if number != next {
                let missing = format!("blocks {next} to {} are missing", number - 1);
                damaged(StoreError(missing))?;
            }
            let entries = entries.or_else(|error| damaged(error).map(|()| vec![]))?;
            for (index, entry) in (0..).zip(entries) {
                last_instant = last_instant.max(entry.at);
                let id = EventId { block: number, index };
                store.replay(id, &entry, &mut condensed_days).or_else(&damaged)?;
            }
            store.writer.get_mut().next.block = number + 1;
            replayed += 1;
        }
        for block in store.rows.refusals_from(condensed.refusals + 1) {
            let (number, entries) = block?;
            let entries = entries.or_else(|error| damaged(error).map(|()| vec![]))?;
            for (index, entry) in (0..).zip(entries) {
                last_instant = last_instant.max(entry.at);
                let id = EventId { block: number, index };
                store.replay_refusal(id, &entry).or_else(&damaged)?;
            }
            store.writer.get_mut().next.refusals = number + 1;
        }
        let (last, sealed) = (store.writer.get_mut().next.block - 1, found.seal.last_block);
        if last < sealed {
            let missing = format!("the journal ends with block {last}, and had {sealed}");
            damaged(StoreError(missing))?;
        }
        store.memory.get_mut().last_instant = last_instant;
        tracing::info!(folder = %folder.display(), replayed, "opened the ledger");
        Ok(store)
    }

    /// Adds a refusal, save to counts that contain it already.
    pub(super) fn replay_refusal(&mut self, id: EventId, entry: &Entry) -> Result<(), StoreError> {
        let Change::Refused(refusal) = &entry.change else { return Ok(()) };
        let overlay = &mut self.memory.get_mut().current;
        overlay.refuse(id, refusal);
        for subject in refusal.call.subject.levels() {
            if self.rows.refusal_count(&subject, &refusal.period)?.0 < id.block {
                overlay.count_refusal(subject, refusal);
            }
        }
        Ok(())
    }

    /// Adds up everything anew, where sled may have lost something.
    fn dispel(&self) -> Result<(), StoreError> {
        let verified = self.verify(&self.closing.forgotten(), |_, _| {});
        match verified.differences.first() {
            None => Ok(()),
            Some(first) => Err(StoreError(format!(
                "{} rows are not what the blocks say: {first}",
                verified.differences_total
            ))),
        }
    }

    /// Adds an entry to what it changed, save where a row contains it already: a crash amid
    /// condensing leaves some rows ahead of others. `condensed_days` remembers which block each
    /// day's row is as of.
    pub(super) fn replay(
        &mut self,
        id: EventId,
        entry: &Entry,
        condensed_days: &mut HashMap<(SubjectId, Day), u64>,
    ) -> Result<(), StoreError> {
        let mut outbox = self.memory.get_mut().current.outbox.next();
        self.add_to_outbox(&mut outbox, id, entry.at, &entry.change)?;
        let overlay = &mut self.memory.get_mut().current;
        overlay.outbox.extend(outbox);
        let mut accounts = Vec::new();
        for subject in entry.change.levels() {
            let (as_of, version, account) = match overlay.account(&subject) {
                Some((version, account)) => (0, version, account),
                None => self.rows.account(&subject)?.unwrap_or_default(),
            };
            if as_of < id.block {
                let before = account.due_at(&subject);
                let mut account = Arc::unwrap_or_clone(account);
                account.replay(&subject, entry.at, &entry.change).map_err(|overflow| {
                    StoreError(format!("block {} of {subject}: {overflow}", id.block))
                })?;
                let due_at = account.due_at(&subject).filter(|at| before != Some(*at));
                let account = Arc::new(account);
                accounts.push(AccountChange { subject, read_at: version, account, due_at });
            }
        }
        overlay.absorb(id, &accounts, &entry.change);
        overlay.subscribe(id, entry.at, &entry.change);
        overlay.mark(entry.mark, entry.at, id);
        let Some(fact) = entry.change.fact() else { return Ok(()) };
        for subject in fact.subject().levels() {
            let day = Quarter::of(fact.occurred_at()).day();
            let as_of = match condensed_days.entry((subject.clone(), day)) {
                hash_map::Entry::Occupied(known) => *known.get(),
                hash_map::Entry::Vacant(new) => *new.insert(self.rows.day_as_of(&subject, day)?),
            };
            if as_of < id.block {
                overlay.add_use(subject, &fact);
            }
        }
        Ok(())
    }
}
