//! From what the blocks add up to, in memory, to rows.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_domain::Timestamp;

use super::{Key, RowWriter, Rows};
use crate::store::StoreError;
use crate::store::sled::overlay::{Overlay, Quarters};

impl Rows {
    /// Writes an overlay's rows, then that they contain all blocks up to its last.
    pub fn condense(&self, overlay: &Overlay, last_instant: Timestamp) -> Result<(), StoreError> {
        let (last, as_of) = (overlay.last(), overlay.last().block);
        let mut writer = RowWriter::to(self);
        for (subject, (version, account)) in &overlay.accounts {
            writer.put(&Key::account(subject), &(as_of, version, account))?;
        }
        for (subject, days) in &overlay.days {
            for (day, used) in days {
                let key = Key::day(subject, *day);
                let (as_of_row, mut quarters): (u64, Quarters) =
                    self.get(&key)?.unwrap_or_default();
                if as_of_row >= as_of {
                    continue;
                }
                used.apply(&mut quarters)?;
                writer.put(&key, &(as_of, quarters))?;
            }
        }
        let names: BTreeMap<_, _> = overlay.events.iter().map(|(name, id)| (*name, *id)).collect();
        self.add_names(names.into_iter())?;
        for (event, corrections) in &overlay.corrections {
            let corrections = self.corrections(*event)?.into_iter().chain(corrections.clone());
            let corrections: BTreeSet<_> = corrections.collect();
            writer.put(&Key::corrections(*event), &corrections)?;
        }
        for ((subject, end), entry) in &overlay.history {
            writer.put(&Key::entry(subject, *end), entry)?;
        }
        for (at, subject) in &overlay.due {
            // The key says it all.
            writer.put(&Key::due(*at, subject), &true)?;
        }
        for ((subject, period), added) in &overlay.refusal_counts {
            let (as_of, mut counts) = self.refusal_count(subject, period)?;
            if as_of < last.refusals {
                counts.add_all(added);
                writer.put(&Key::refusal_counts(subject, period), &(last.refusals, counts))?;
            }
        }
        for (subject, block) in &overlay.refused {
            // The key says it all.
            writer.put(&Key::refused(subject, *block), &true)?;
        }
        for marked in overlay.marks.values() {
            writer.put(&Key::mark(marked), marked)?;
        }
        self.add_reservations(overlay.reservations.values(), last_instant)?;
        self.add_to_levels(overlay.logs.iter(), overlay.alerts.iter())?;
        writer.finish()?;
        self.sync()?;
        let mut checkpoint = RowWriter::to(self);
        checkpoint.put(&Key::checkpoint(), &(last, last_instant))?;
        checkpoint.finish()
    }
}
