//! How many notifications were sent since the start, and how many were not.

use std::array;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tollgate_domain::{ChannelKind, Timestamp};
use tollgate_ledger::{DeliveryId, Progress};

/// Nothing is due.
const NEVER: i64 = i64::MAX;

pub struct Counts {
    numbers: [[AtomicU64; Outcome::ALL.len()]; ChannelKind::ALL.len()],
    /// Since when something has been due, in microseconds.
    due_since: [AtomicI64; ChannelKind::ALL.len()],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Sent,
    /// It is tried again.
    Failed,
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub kind: ChannelKind,
    pub outcome: Outcome,
    pub count: u64,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Sent, Self::Failed, Self::Dead];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Dead => "dead",
        }
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self { numbers: Default::default(), due_since: array::from_fn(|_| AtomicI64::new(NEVER)) }
    }
}

impl Counts {
    pub fn note(&self, kind: ChannelKind, progress: &[(DeliveryId, Progress)]) {
        for (_, progress) in progress {
            let outcome = match progress {
                Progress::Sent => Outcome::Sent,
                Progress::Failed { again_at: Some(_), .. } => Outcome::Failed,
                Progress::Failed { again_at: None, .. } => Outcome::Dead,
                Progress::Postponed(_) | Progress::Retried => continue,
            };
            self.numbers[kind as usize][outcome as usize].fetch_add(1, Relaxed);
        }
    }

    pub fn note_due_since(&self, kind: ChannelKind, since: Option<Timestamp>) {
        self.due_since[kind as usize].store(since.map_or(NEVER, Timestamp::micros), Relaxed);
    }

    pub fn all(&self) -> Vec<Counted> {
        let all = ChannelKind::ALL.into_iter().flat_map(|kind| {
            Outcome::ALL.map(|outcome| {
                let count = self.numbers[kind as usize][outcome as usize].load(Relaxed);
                Counted { kind, outcome, count }
            })
        });
        all.collect()
    }

    pub fn overdue(&self, now: Timestamp) -> Vec<(ChannelKind, Duration)> {
        let overdue = ChannelKind::ALL.map(|kind| {
            let since = self.due_since[kind as usize].load(Relaxed);
            let overdue = (since != NEVER).then(|| now.since(Timestamp::from_micros(since)));
            (kind, overdue.unwrap_or_default())
        });
        overdue.into()
    }
}
