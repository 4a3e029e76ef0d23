//! Refusals: how many there were, and that each level's are found. Those that may be forgotten are
//! counted all the same.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_domain::{PeriodId, SubjectId, Timestamp};

use super::difference::Differences;
use crate::refusal::{Cause, RefusalCounts};
use crate::store::sled::SledStore;
use crate::store::{Change, Store};

/// What the blocks of refusals say of time.
pub struct Seen {
    pub last_instant: Timestamp,
    /// Whether none was forgotten.
    pub all: bool,
}

/// Compares the counts with the blocks, the last of which comes before `next`.
pub fn compare(store: &SledStore, next: u64, differences: &mut Differences) -> Seen {
    let mut counts: BTreeMap<(SubjectId, PeriodId), RefusalCounts> = BTreeMap::new();
    let mut found_in: BTreeMap<SubjectId, BTreeSet<u64>> = BTreeMap::new();
    let (mut first, mut last) = (None, 0);
    let mut last_instant = Timestamp::EPOCH;
    for block in store.rows.refusals_from(0) {
        // Where sled itself fails, it would fail for ever.
        let Some((number, entries)) = differences.readable("the refusals", block) else { break };
        if first.is_some() && number != last + 1 {
            let missing = format!("refusals {} to {}", last + 1, number - 1);
            differences.push(None, &missing, "them to be there", "none");
        }
        first = first.or(Some(number));
        last = number;
        let entries = differences.readable(&format!("refusals {number}"), entries);
        for entry in entries.unwrap_or_default() {
            last_instant = last_instant.max(entry.at);
            let Change::Refused(refusal) = &entry.change else { continue };
            for subject in refusal.call.subject.levels() {
                found_in.entry(subject.clone()).or_default().insert(number);
                let counts = counts.entry((subject, refusal.period.clone())).or_default();
                counts.count(refusal.cause());
            }
        }
    }
    for (subject, expected) in found_in {
        let row = "the blocks with refusals";
        let stored = store.blocks_with_refusals_of(&subject);
        let stored = differences.readable_of(Some(&subject), row, stored);
        if let Some(stored) = stored.filter(|stored| *stored != expected) {
            let [expected, found] = [expected, stored].map(|blocks| format!("{blocks:?}"));
            differences.push(Some(&subject), row, expected, found);
        }
    }
    // What was forgotten was counted.
    let all = first.unwrap_or(next) == 1;
    for ((subject, period), expected) in counts {
        let row = format!("the refusals of {period}");
        let stored = store.refusal_counts(&subject);
        let Some(mut stored) = differences.readable_of(Some(&subject), &row, stored) else {
            continue;
        };
        let stored = stored.remove(&period).unwrap_or_default();
        for (cause, expected) in expected.0 {
            let found = stored.0.get(&cause).copied().unwrap_or_default();
            if found < expected || (all && found != expected) {
                differences.push(Some(&subject), &named(&row, &cause), expected, found);
            }
        }
    }
    Seen { last_instant, all }
}

fn named(row: &str, cause: &Cause) -> String {
    match &cause.quota {
        Some(quota) => format!("{row}, {} of {quota}", cause.reason),
        None => format!("{row}, {}", cause.reason),
    }
}
