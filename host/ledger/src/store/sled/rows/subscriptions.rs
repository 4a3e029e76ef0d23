//! How subscriptions were changed.

use std::collections::BTreeMap;

use tollgate_domain::{SubjectId, Subscription, Timestamp};

use super::{Key, Rows, one_part, unreadable};
use crate::event::EventId;
use crate::store::StoreError;

impl Rows {
    /// The changes of a level's subscription, by the units that made them.
    pub fn subscriptions(
        &self,
        subject: &SubjectId,
    ) -> Result<BTreeMap<EventId, (Timestamp, Subscription)>, StoreError> {
        let rows = self.tree.scan_prefix(Key::new(b'U', &[subject.as_str().as_bytes(), &[0]]).0);
        let changes = rows.map(|row| {
            let (key, value) = row?;
            let unit = unit_of(&key).ok_or_else(|| unreadable("the key of a subscription"))?;
            Ok((unit, one_part(&value, "a subscription")?))
        });
        changes.collect()
    }
}

/// The unit that a row's key ends with, before the number of the part.
fn unit_of(key: &[u8]) -> Option<EventId> {
    let (index, rest) = {
        let (rest, index) = key.strip_suffix(&[0])?.split_last_chunk()?;
        (u32::from_be_bytes(*index), rest)
    };
    let block = u64::from_be_bytes(*rest.last_chunk()?);
    Some(EventId { block, index })
}
