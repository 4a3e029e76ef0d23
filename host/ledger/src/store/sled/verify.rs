//! Whether what is stored says what its blocks say: every summary is added up anew from the
//! facts, and compared with what the store would answer.
//!
//! The sums here are plain ones over all events. They share neither the deltas nor the shortcuts
//! of the code that keeps the summaries, so that the two cannot be wrong alike.

mod accounts;
mod billing;
mod days;
mod difference;
mod journal;
mod levels;
mod months;
mod names;
mod outbox;
mod refusals;
mod reservations;
mod scales;
mod sliding;
mod subscriptions;

pub use self::difference::Difference;

use super::SledStore;
use crate::event::EventId;
use crate::store::{Forget, Store};
use crate::totals::Totals;
use accounts::Accounts;
use billing::Billing;
use days::Days;
use difference::Differences;
use journal::Journal;
use levels::Levels;
use months::Months;
use names::Names;
use outbox::Outbox;
use reservations::Reservations;
use subscriptions::Subscriptions;

/// What came of adding everything up.
#[derive(Debug, Default)]
pub struct Verification {
    pub blocks: u64,
    pub events: u64,
    pub accounts: u64,
    /// Of all events.
    pub totals: Totals,
    /// The first thousand.
    pub differences: Vec<Difference>,
    pub differences_total: u64,
}

impl SledStore {
    /// Reads all blocks, and compares with them everything that is stored besides, save what may
    /// be forgotten. Takes memory for the accounts and their days, and none for events.
    ///
    /// `progress` hears how many blocks were read, and of how many. Commits wait meanwhile.
    pub fn verify(&self, may_lack: &Forget, mut progress: impl FnMut(u64, u64)) -> Verification {
        let (_unchanged, writer) = (self.maintenance.lock(), self.writer.lock());
        let mut differences = Differences::default();
        let last_block = differences.readable("the last block", self.rows.last_block());
        let last_block = last_block.unwrap_or(0);

        let mut journal = Journal::default();
        let mut accounts = Accounts::new(self.last_instant());
        let mut days = Days::default();
        let mut months = Months::new(self, &mut differences);
        let mut billing = Billing::default();
        let mut reservations = Reservations::new(may_lack.reservations_before);
        let mut names = Names::new(may_lack.keys_before);
        let mut levels = Levels::default();
        let mut subscriptions = Subscriptions::default();
        let mut outbox = Outbox::default();
        for block in self.rows.blocks_after(0) {
            // Where sled itself fails, it would fail for ever.
            let Some((number, entries)) = differences.readable("the blocks", block) else { break };
            journal.begin(number, &mut differences);
            let entries = differences.readable(&format!("block {number}"), entries);
            for (index, entry) in (0..).zip(entries.unwrap_or_default()) {
                let id = EventId { block: number, index };
                journal.add(&entry);
                accounts.add(self, &entry, &mut differences);
                days.add(&entry);
                months.add(&entry);
                billing.add(self, &entry, &mut differences);
                reservations.add(self, id, &entry, &mut differences);
                names.add(self, id, &entry, &mut differences);
                levels.add(self, id, &entry, &mut differences);
                subscriptions.add(&entry);
                outbox.add(id, &entry);
            }
            progress(number.min(last_block), last_block);
        }
        journal.note(&refusals::compare(self, writer.next.refusals, &mut differences));
        journal.compare(self, &mut differences);
        let accounts = accounts.compare(self, &mut differences);
        days.compare(self, &mut differences);
        months.compare(self, &mut differences);
        billing.compare(self, &mut differences);
        reservations.compare(self, &mut differences);
        names.compare(self, &mut differences);
        levels.compare(self, &mut differences);
        subscriptions.compare(self, &mut differences);
        outbox.compare(self, &mut differences);
        self.read_shelf(&mut differences);
        Verification {
            blocks: journal.blocks,
            events: journal.totals.events,
            accounts,
            totals: journal.totals,
            differences_total: differences.total,
            differences: differences.first,
        }
    }

    /// What others keep follows from no block: that it can be read is all there is to say.
    fn read_shelf(&self, differences: &mut Differences) {
        let names = differences.readable("what is kept under names", self.rows.shelf(""));
        for name in names.unwrap_or_default() {
            differences.readable(&format!("what is kept as `{name}`"), self.rows.shelved(&name));
        }
    }
}
