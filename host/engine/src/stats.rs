//! How often a policy was called, how long it took and what went wrong.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::fault::Fault;

/// What a call took of what it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spent {
    pub fuel: u64,
    /// What the instance has after the call; memory is never given back.
    pub memory_bytes: u64,
}

/// Counters of one policy. Relaxed throughout: each is true by itself, and none decides anything.
#[derive(Debug)]
pub(crate) struct Stats {
    faults: [AtomicU64; Fault::KINDS.len()],
    /// Calls by how long they took, faults included.
    durations: [AtomicU64; BUCKETS],
}

/// Durations below 2^FIRST ns share the first bucket, those from 2^LAST ns the last.
const FIRST: u32 = 6;
const LAST: u32 = 34;
/// Buckets for each doubling: a percentile is at most an eighth too high.
const STEPS_LOG2: u32 = 3;
const BUCKETS: usize = ((LAST - FIRST) << STEPS_LOG2) as usize + 2;

impl Default for Stats {
    fn default() -> Self {
        Self { faults: Default::default(), durations: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl Stats {
    pub fn call_took(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.durations[bucket(nanos)].fetch_add(1, Relaxed);
    }

    /// Counts a fault; says how many of its kind there have been.
    pub fn faulted(&self, fault: &Fault) -> u64 {
        self.faults[fault.kind_index()].fetch_add(1, Relaxed) + 1
    }

    pub fn calls(&self) -> u64 {
        self.durations.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// The faults that happened at all, by kind.
    pub fn faults(&self) -> BTreeMap<&'static str, u64> {
        let counts = self.faults.iter().map(|count| count.load(Relaxed));
        Fault::KINDS.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect()
    }

    /// The duration, in microseconds rounded up, that `percent` of the calls did not exceed;
    /// 0 without calls.
    pub fn percentile_us(&self, percent: u64) -> u64 {
        let counts: Vec<u64> = self.durations.iter().map(|count| count.load(Relaxed)).collect();
        let rank = (counts.iter().sum::<u64>() * percent).div_ceil(100);
        let mut seen = 0;
        for (i, count) in counts.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= rank {
                return upper_nanos(i).div_ceil(1000);
            }
        }
        0
    }
}

fn bucket(nanos: u64) -> usize {
    if nanos < 1 << FIRST {
        return 0;
    }
    let doubling = nanos.ilog2();
    if doubling >= LAST {
        return BUCKETS - 1;
    }
    // The bits below the highest one say which step of its doubling.
    let step = (nanos >> (doubling - STEPS_LOG2)) & ((1 << STEPS_LOG2) - 1);
    1 + ((doubling - FIRST) << STEPS_LOG2) as usize + step as usize
}

/// The smallest duration that is too long for the bucket.
fn upper_nanos(bucket: usize) -> u64 {
    let steps = bucket as u64;
    let (doubling, step) = (steps >> STEPS_LOG2, steps & ((1 << STEPS_LOG2) - 1));
    ((1 << STEPS_LOG2) + step) << (doubling + u64::from(FIRST - STEPS_LOG2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_below_its_buckets_end_and_at_most_an_eighth_below() {
        for nanos in [64, 71, 72, 999, 1_000, 1_001, 250_000, 1 << 20, (1 << 33) + 17] {
            let (end, i) = (upper_nanos(bucket(nanos)), bucket(nanos));
            assert!(nanos < end && end <= nanos + nanos / 8 + 1, "{nanos} in {i}, to {end}");
        }
        assert_eq!(bucket(0), 0);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_of_all_calls() {
        let stats = Stats::default();
        assert_eq!(stats.percentile_us(50), 0);
        for _ in 0..98 {
            stats.call_took(Duration::from_nanos(900));
        }
        for _ in 0..2 {
            stats.call_took(Duration::from_millis(3));
        }
        assert_eq!(stats.calls(), 100);
        assert_eq!(stats.percentile_us(50), 1);
        assert!((3000..3400).contains(&stats.percentile_us(99)));
    }
}
