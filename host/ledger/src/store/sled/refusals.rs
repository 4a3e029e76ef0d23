//! Refusals are looked for from the newest back: in the blocks of their level, or in all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tollgate_domain::{PeriodId, SubjectId};

use super::SledStore;
use super::block::Entry;
use crate::refusal::{Refusal, RefusalCounts, RefusalId};
use crate::store::{Change, RefusalFilter, StoreError};

impl SledStore {
    pub(super) fn find_refusals(
        &self,
        which: &RefusalFilter,
    ) -> Result<Vec<(RefusalId, Arc<Refusal>)>, StoreError> {
        let last = which.before.map_or(u64::MAX, |before| before.block);
        let mut found = Vec::new();
        match &which.subject {
            None => {
                for block in self.rows.refusals_from(0).rev() {
                    let (number, entries) = block?;
                    if number <= last && !take_refusals(which, number, entries?, &mut found) {
                        break;
                    }
                }
            }
            Some(subject) => {
                let numbers = self.blocks_with_refusals_of(subject)?;
                for number in numbers.into_iter().rev().filter(|number| *number <= last) {
                    // One that is not there any more was forgotten meanwhile.
                    let Some(entries) = self.rows.refusals(number)? else { continue };
                    if !take_refusals(which, number, entries, &mut found) {
                        break;
                    }
                }
            }
        }
        Ok(found)
    }

    pub(super) fn count_refusals(
        &self,
        subject: &SubjectId,
    ) -> Result<BTreeMap<PeriodId, RefusalCounts>, StoreError> {
        // The lock keeps what is being condensed from being forgotten, and so from being missed.
        let memory = self.memory.read();
        let mut found = self.rows.refusal_counts(subject)?;
        for overlay in memory.overlays() {
            for (period, added) in overlay.counts_of(subject) {
                let (as_of, counts) = found.entry(period.clone()).or_default();
                if *as_of < overlay.last().refusals {
                    counts.add_all(added);
                }
            }
        }
        Ok(found.into_iter().map(|(period, (_, counts))| (period, counts)).collect())
    }

    /// All blocks in which a level was refused something, the oldest first.
    pub(super) fn blocks_with_refusals_of(
        &self,
        subject: &SubjectId,
    ) -> Result<BTreeSet<u64>, StoreError> {
        let mut found = BTreeSet::new();
        for overlay in self.memory.read().overlays() {
            found.extend(overlay.refusals_of(subject));
        }
        // What leaves memory was written before: looking there second finds it.
        for block in self.rows.refusals_of(subject) {
            found.insert(block?);
        }
        Ok(found)
    }
}

/// Takes from a block what is asked for, the newest first; tells whether older blocks may have
/// more of it.
fn take_refusals(
    which: &RefusalFilter,
    block: u64,
    entries: Vec<Entry>,
    found: &mut Vec<(RefusalId, Arc<Refusal>)>,
) -> bool {
    let may_have_more = entries.iter().any(|entry| entry.at >= which.span.start);
    let numbered: Vec<_> = (0..).zip(entries).collect();
    for (index, entry) in numbered.into_iter().rev() {
        let id = RefusalId { block, index };
        if let Change::Refused(refusal) = entry.change
            && found.len() < which.limit
            && which.takes(id, &refusal)
        {
            found.push((id, refusal));
        }
    }
    may_have_more && found.len() < which.limit
}
