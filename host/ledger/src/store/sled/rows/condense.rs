//! From what the blocks add up to, in memory, to rows.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_domain::{Calendar, Timestamp};

use super::{Key, RowWriter, Rows};
use crate::store::StoreError;
use crate::store::sled::overlay::Overlay;

impl Rows {
    /// Writes an overlay's rows, then that they contain all blocks up to its last.
    pub fn condense(&self, overlay: &Overlay, last_instant: Timestamp) -> Result<(), StoreError> {
        let (last, as_of) = (overlay.last(), overlay.last().block);
        let mut writer = RowWriter::to(self);
        for (at, subject) in &overlay.due {
            // The key says it all. It is there before the account is: after a crash between the two,
            // an account that is as it should be would not be looked at again.
            writer.put(&Key::due(*at, subject), &true)?;
        }
        for (subject, (version, account)) in &overlay.accounts {
            writer.put(&Key::account(subject), &(as_of, version, account))?;
        }
        self.condense_use(&mut writer, overlay)?;
        let names: BTreeMap<_, _> = overlay.events.iter().map(|(name, id)| (*name, *id)).collect();
        self.add_names(names.into_iter())?;
        for (event, corrections) in &overlay.corrections {
            let corrections = self.corrections(*event)?.into_iter().chain(corrections.clone());
            let corrections: BTreeSet<_> = corrections.collect();
            writer.put(&Key::corrections(*event), &corrections)?;
        }
        for (subject, changes) in &overlay.subscribed {
            for (id, change) in changes {
                writer.put(&Key::subscription(subject, *id), change)?;
            }
        }
        for ((subject, end), entry) in &overlay.history {
            writer.put(&Key::entry(subject, *end), entry)?;
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
        self.condense_outbox(&mut writer, &overlay.outbox, as_of)?;
        self.add_reservations(overlay.reservations.values(), last_instant)?;
        self.add_to_levels(overlay.logs.iter(), overlay.alerts.iter())?;
        writer.finish()?;
        self.sync()?;
        let mut checkpoint = RowWriter::to(self);
        checkpoint.put(&Key::checkpoint(), &(last, last_instant))?;
        checkpoint.finish()
    }

    /// Writes the days of all levels with their months. A level's lie beside each other: in order,
    /// the same pages are not read again and again.
    fn condense_use(
        &self,
        writer: &mut RowWriter<'_>,
        overlay: &Overlay,
    ) -> Result<(), StoreError> {
        let as_of = overlay.last().block;
        let calendar = |subject| -> Result<Calendar, StoreError> {
            let account = match overlay.account(subject) {
                Some((_, account)) => Some(account),
                // A crash amid condensing may have left the account's row ahead.
                None => self.account(subject)?.map(|(_, _, account)| account),
            };
            Ok(account.map(|account| account.calendar()).unwrap_or_default())
        };
        let mut uses: Vec<_> = overlay.uses.iter().collect();
        uses.sort_unstable_by_key(|(subject, _)| *subject);
        for (subject, uses) in uses {
            self.condense_days(writer, subject, uses, as_of, &calendar(subject)?)?;
        }
        writer.flush()?;
        for subject in overlay.subscribed.keys() {
            self.condense_months(writer, subject, as_of, &calendar(subject)?)?;
        }
        Ok(())
    }
}
