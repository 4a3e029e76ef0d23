//! The blocks themselves: that none is missing, and how far the rows claim to have come.

use tollgate_domain::Timestamp;

use super::difference::Differences;
use super::refusals::Seen;
use crate::store::sled::SledStore;
use crate::store::sled::block::Entry;
use crate::store::{Fact, Store};
use crate::totals::Totals;

#[derive(Default)]
pub struct Journal {
    pub blocks: u64,
    /// Of all events.
    pub totals: Totals,
    last_block: u64,
    last_instant: Option<Timestamp>,
    /// Whether something later was forgotten.
    may_be_later: bool,
}

impl Journal {
    /// Blocks are numbered from 1, without a gap.
    pub fn begin(&mut self, number: u64, differences: &mut Differences) {
        if number != self.last_block + 1 {
            let missing = format!("blocks {} to {}", self.last_block + 1, number - 1);
            differences.push(None, &missing, "them to be there", "none");
        }
        self.blocks += 1;
        self.last_block = number;
    }

    pub fn add(&mut self, entry: &Entry) {
        self.last_instant = self.last_instant.max(Some(entry.at));
        // Across all accounts, tokens or time may be more than can be counted; that is nobody's
        // account.
        let _ = match entry.change.fact() {
            Some(Fact::Event(event)) => self.totals.add(&Totals::of_event(&event)),
            Some(Fact::Correction(correction)) => {
                let [before, after] = correction.totals();
                self.totals.add(&after).and_then(|()| self.totals.take(&before))
            }
            None => Ok(()),
        };
    }

    /// Notes when refusals were decided.
    pub fn note(&mut self, refusals: &Seen) {
        self.last_instant = self.last_instant.max(Some(refusals.last_instant));
        self.may_be_later = !refusals.all;
    }

    pub fn compare(&self, store: &SledStore, differences: &mut Differences) {
        let sealed = store.closing.sealed_block();
        if self.last_block < sealed {
            let expected = format!("block {sealed} at least");
            differences.push(
                None,
                "the last block",
                expected,
                format!("block {}", self.last_block),
            );
        }
        let checkpoint = differences.readable("the checkpoint", store.rows.checkpoint());
        if let Some((condensed, _)) = checkpoint.flatten()
            && condensed.block > self.last_block
        {
            let expected = format!("block {} at most", self.last_block);
            let found = format!("block {}", condensed.block);
            differences.push(None, "the checkpoint", expected, found);
        }
        let (expected, found) =
            (self.last_instant.unwrap_or(Timestamp::EPOCH), store.last_instant());
        if found < expected || (found > expected && !self.may_be_later) {
            differences.push(None, "the last instant", expected, found);
        }
    }
}
