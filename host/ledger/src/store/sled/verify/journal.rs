//! The blocks themselves: that none is missing, and how far the rows claim to have come.

use tollgate_domain::Timestamp;

use super::difference::Differences;
use crate::store::Store;
use crate::store::sled::SledStore;
use crate::store::sled::block::Entry;
use crate::totals::Totals;

#[derive(Default)]
pub struct Journal {
    pub blocks: u64,
    /// Of all events.
    pub totals: Totals,
    last_block: u64,
    last_instant: Option<Timestamp>,
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
        if let Some(event) = entry.change.event() {
            // Across all accounts, tokens or time may be more than can be counted; that is
            // nobody's account.
            let _ = self.totals.add(&Totals::of_event(event));
        }
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
        if let Some((block, _)) = checkpoint.flatten()
            && block > self.last_block
        {
            let expected = format!("block {} at most", self.last_block);
            differences.push(None, "the checkpoint", expected, format!("block {block}"));
        }
        let (expected, found) =
            (self.last_instant.unwrap_or(Timestamp::EPOCH), store.last_instant());
        if expected != found {
            differences.push(None, "the last instant", expected, found);
        }
    }
}
