//! Refusals: blocks of their own, where each level's are, and how many there were.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_domain::{PeriodId, SubjectId, Timestamp};

use super::{Block, Key, RowWriter, Rows, block_number, unreadable};
use crate::refusal::RefusalCounts;
use crate::store::StoreError;
use crate::store::sled::block::{self, Entry};

/// Blocks of refusals forgotten in a round.
const FORGET_BLOCKS: usize = 256;

impl Rows {
    /// The last block of refusals that a period's counts contain, and the counts.
    pub fn refusal_count(
        &self,
        subject: &SubjectId,
        period: &PeriodId,
    ) -> Result<(u64, RefusalCounts), StoreError> {
        Ok(self.get(&Key::refusal_counts(subject, period))?.unwrap_or_default())
    }

    /// How often a level was refused something, by billing period, each as of some block.
    pub fn refusal_counts(
        &self,
        subject: &SubjectId,
    ) -> Result<BTreeMap<PeriodId, (u64, RefusalCounts)>, StoreError> {
        let prefix = Key::new(b'N', &[subject.as_str().as_bytes(), &[0]]);
        let firsts = self.tree.scan_prefix(&prefix.0).keys().filter_map(|key| match key {
            Ok(key) => key.strip_suffix(&[0]).map(|key| Ok(Key(key.to_vec()))),
            Err(error) => Some(Err(StoreError::from(error))),
        });
        let counts = firsts.map(|key| {
            let key = key?;
            let name = key.0.get(prefix.0.len()..).and_then(|name| str::from_utf8(name).ok());
            let period = name.and_then(|name| name.parse().ok());
            let period = period.ok_or_else(|| unreadable("the period of a key"))?;
            Ok((period, self.get(&key)?.unwrap_or_default()))
        });
        counts.collect()
    }

    /// The blocks in which a level was refused something.
    pub fn refusals_of(
        &self,
        subject: &SubjectId,
    ) -> impl DoubleEndedIterator<Item = Result<u64, StoreError>> {
        let prefix = Key::new(b'f', &[subject.as_str().as_bytes(), &[0]]);
        self.tree.scan_prefix(prefix.0).keys().map(|key| {
            let key = key?;
            block_number(key.strip_suffix(&[0]).unwrap_or(&key))
        })
    }

    /// A block of refusals.
    pub fn refusals(&self, number: u64) -> Result<Option<Vec<Entry>>, StoreError> {
        let block = self.tree.get(Key::refusals(number).as_bytes())?;
        block.map(|block| block::read(number, &block)).transpose()
    }

    /// The blocks of refusals from this one on, each with its number.
    pub fn refusals_from(&self, number: u64) -> impl DoubleEndedIterator<Item = Block> + use<> {
        self.blocks_between(Key::refusals(number), Key::refusals(u64::MAX))
    }

    /// Forgets blocks of refusals all of which were refused before `before`: a bounded number in
    /// one round.
    pub fn forget_refusals(&self, before: Timestamp) -> Result<(), StoreError> {
        let mut writer = RowWriter::to(self);
        for block in self.refusals_from(0).take(FORGET_BLOCKS) {
            let (number, entries) = block?;
            let entries = entries?;
            if entries.iter().any(|entry| entry.at >= before) {
                break;
            }
            let levels: BTreeSet<_> =
                entries.iter().flat_map(|entry| entry.change.levels()).collect();
            for subject in levels {
                writer.remove(&Key::refused(&subject, number))?;
            }
            writer.batch.remove(Key::refusals(number).as_bytes());
            writer.waited()?;
        }
        writer.finish()
    }
}
