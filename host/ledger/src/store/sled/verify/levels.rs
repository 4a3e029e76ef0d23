//! What is found from levels: that their logs have every event, and their lists every alert with
//! whether it was read.

use std::collections::{BTreeSet, HashMap};

use tollgate_domain::{SubjectId, Timestamp};

use super::difference::Differences;
use crate::alert::AlertId;
use crate::event::EventId;
use crate::store::sled::SledStore;
use crate::store::sled::block::Entry;
use crate::store::sled::level::{self, LevelKey};
use crate::store::{Change, Logged, StoreError};

#[derive(Default)]
pub struct Levels {
    /// Lines of logs. Each is compared as it comes: they need not be kept.
    lines: u64,
    /// By their subjects and numbers; alerts are few.
    alerts: HashMap<(SubjectId, AlertId), Option<Timestamp>>,
    /// Of the last block that raised something: how many alerts so far.
    raised: (u64, usize),
}

impl Levels {
    pub fn add(
        &mut self,
        store: &SledStore,
        id: EventId,
        entry: &Entry,
        differences: &mut Differences,
    ) {
        if let Some(event) = entry.change.event() {
            let logged = Logged::of(id, event);
            for subject in event.report.subject.levels() {
                self.lines += 1;
                let key = level::log_key(&subject, logged.rank);
                let found = line(store, &key);
                let row = format!("the line of the log about {id}");
                let found = differences.readable_of(Some(&subject), &row, found);
                if found.is_some_and(|found| found != Some(level::log_value(&logged))) {
                    differences.push(Some(&subject), &row, "one", "none, or another");
                }
            }
        }
        for raised in entry.change.raised() {
            if self.raised.0 != id.block {
                self.raised = (id.block, 0);
            }
            let alert = AlertId::new(id.block, self.raised.1);
            self.raised.1 += 1;
            self.alerts.insert((raised.alert.subject.clone(), alert), None);
        }
        if let Change::AlertRead { subject, alert, at } = &entry.change {
            let read_at = self.alerts.get_mut(&(subject.clone(), *alert));
            match read_at {
                Some(read_at) => *read_at = (*read_at).max(Some(*at)),
                None => differences.push(Some(subject), "an alert that was read", "one", "none"),
            }
        }
    }

    pub fn compare(self, store: &SledStore, differences: &mut Differences) {
        for ((subject, alert), read_at) in &self.alerts {
            let row = format!("the alert {alert}");
            let found = self::alert(store, &level::alert_key(subject, *alert));
            let found = differences.readable_of(Some(subject), &row, found);
            let expected = level::alert_value(*read_at);
            if let Some(found) = found.filter(|found| *found != Some(expected)) {
                let said = |value| match value {
                    None => "none",
                    Some(0) => "unread",
                    Some(_) => "read",
                };
                differences.push(Some(subject), &row, said(Some(expected)), said(found));
            }
        }
        if let Some([lines, alerts]) = differences.readable("the logs and alerts", count(store)) {
            let expected = self.alerts.len() as u64;
            for (row, expected, found) in
                [("the lines of all logs", self.lines, lines), ("the alerts", expected, alerts)]
            {
                if found != expected {
                    differences.push(None, row, expected, found);
                }
            }
        }
    }
}

fn line(store: &SledStore, key: &LevelKey) -> Result<Option<u64>, StoreError> {
    let found = store.memory.read().overlays().find_map(|o| o.logs.get(key).copied());
    found.map_or_else(|| store.rows.log_line(key), |found| Ok(Some(found)))
}

fn alert(store: &SledStore, key: &LevelKey) -> Result<Option<u64>, StoreError> {
    let memory = store.memory.read();
    let found = memory.overlays().filter_map(|o| o.alerts.get(key).copied()).max();
    Ok(found.max(store.rows.alert(key)?))
}

/// How many lines of logs and how many alerts are stored.
fn count(store: &SledStore) -> Result<[u64; 2], StoreError> {
    let [mut lines, mut alerts] = store.rows.count_of_levels()?;
    let memory = store.memory.read();
    for key in memory.overlays().flat_map(|overlay| overlay.logs.keys()) {
        lines += u64::from(store.rows.log_line(key)?.is_none());
    }
    // One that was read since it was raised may be in both.
    let raised: BTreeSet<_> = memory.overlays().flat_map(|overlay| overlay.alerts.keys()).collect();
    for key in raised {
        alerts += u64::from(store.rows.alert(key)?.is_none());
    }
    Ok([lines, alerts])
}
