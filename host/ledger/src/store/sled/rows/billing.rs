//! Closed billing periods, and those that are due to be closed.

use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_domain::{SubjectId, Timestamp};

use super::key::{in_order, in_order_at};
use super::{Key, RowWriter, Rows, one_part, unreadable};
use crate::billing::BillingEntry;
use crate::store::StoreError;

impl Rows {
    /// The closed billing periods of a level, by their ends.
    pub fn history(
        &self,
        subject: &SubjectId,
    ) -> Result<BTreeMap<Timestamp, Arc<BillingEntry>>, StoreError> {
        let rows = self.tree.scan_prefix(Key::new(b'H', &[subject.as_str().as_bytes(), &[0]]).0);
        let entries = rows.values().map(|row| {
            let entry: Arc<BillingEntry> = one_part(&row?, "a billing entry")?;
            Ok((entry.end, entry))
        });
        entries.collect()
    }

    /// The first levels whose billing periods are due.
    pub fn due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, SubjectId)>, StoreError> {
        let end = Timestamp::from_micros(now.micros().saturating_add(1));
        let rows =
            self.tree.range(Key::new(b'P', &[]).0..Key::new(b'P', &[&in_order(end.micros())]).0);
        rows.keys().take(limit).map(|key| due_of(&key?)).collect()
    }

    pub fn forget_due(&self, due: &[(Timestamp, SubjectId)]) -> Result<(), StoreError> {
        let mut writer = RowWriter::to(self);
        for (at, subject) in due {
            writer.remove(&Key::due(*at, subject))?;
        }
        writer.finish()
    }
}

/// What the key of a due row says.
fn due_of(key: &[u8]) -> Result<(Timestamp, SubjectId), StoreError> {
    let due = || {
        let key = key.strip_prefix(b"P")?.strip_suffix(&[0])?;
        let (at, subject) = (in_order_at(key)?, str::from_utf8(key.get(8..)?).ok()?);
        Some((Timestamp::from_micros(at), subject.parse().ok()?))
    };
    due().ok_or_else(|| unreadable("the key of a period that is due"))
}
