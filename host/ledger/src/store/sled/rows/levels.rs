//! Logs and alerts: found from their level, in runs.

use tollgate_domain::{SubjectId, Timestamp};

use super::Rows;
use super::runs::{Element, Kind, Runs};
use crate::alert::AlertId;
use crate::store::sled::level::{self, ALERT_HASH, LOG_HASH, LevelKey};
use crate::store::{Logged, Rank, StoreError};

/// Events are kept for ever, and so are the lines of logs about them.
pub const LOGS: Kind = Kind {
    rows: b'G',
    filters: b'g',
    asked_bytes: LOG_HASH,
    is_last: |_| true,
    last_is_forgotten: false,
    until: |_| u64::MAX,
};

/// Alerts, unread and then read.
pub const ALERTS: Kind = Kind {
    rows: b'W',
    filters: b'w',
    asked_bytes: ALERT_HASH,
    is_last: |value| value > 0,
    last_is_forgotten: false,
    until: |_| u64::MAX,
};

impl Rows {
    /// Adds lines of logs and alerts, each in the order of their keys.
    pub(super) fn add_to_levels<'a>(
        &self,
        lines: impl ExactSizeIterator<Item = (&'a LevelKey, &'a u64)>,
        alerts: impl ExactSizeIterator<Item = (&'a LevelKey, &'a u64)>,
    ) -> Result<(), StoreError> {
        let element = |(key, value): (&LevelKey, &u64)| Element { key: *key, value: *value };
        self.logs.add(lines.map(element))?;
        self.alerts.add(alerts.map(element))
    }

    /// The last lines of a level's log before one, the newest first.
    pub fn logged(
        &self,
        subject: &SubjectId,
        before: Option<Rank>,
        limit: usize,
    ) -> Result<Vec<Logged>, StoreError> {
        let start = level::hash::<LOG_HASH>(subject);
        let before = before.map(|before| level::log_key(subject, before));
        let found = self.logs.last_beginning_with(&start, before.as_ref(), limit)?;
        Ok(found.iter().map(|element| level::logged(&element.key, element.value)).collect())
    }

    /// A level's alerts, the oldest first.
    pub fn alerts(
        &self,
        subject: &SubjectId,
    ) -> Result<Vec<(AlertId, Option<Timestamp>)>, StoreError> {
        let found = self.alerts.beginning_with(&level::hash::<ALERT_HASH>(subject))?;
        Ok(found.iter().map(|element| level::alert(&element.key, element.value)).collect())
    }

    /// What an element says of the line of a log with this key.
    pub fn log_line(&self, key: &LevelKey) -> Result<Option<u64>, StoreError> {
        self.logs.find(key)
    }

    /// The same of an alert.
    pub fn alert(&self, key: &LevelKey) -> Result<Option<u64>, StoreError> {
        self.alerts.find(key)
    }

    /// How many lines and how many alerts there are.
    pub fn count_of_levels(&self) -> Result<[u64; 2], StoreError> {
        let count = |runs: &Runs| runs.all().try_fold(0, |count, one| one.map(|_| count + 1));
        Ok([count(&self.logs)?, count(&self.alerts)?])
    }
}
