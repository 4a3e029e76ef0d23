//! The quarter-hours of every level's days, and the sums in front of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use tollgate_domain::SubjectId;

use super::accounts;
use super::difference::{Differences, NAMED_MAX};
use super::scales::Scales;
use crate::store::sled::SledStore;
use crate::store::sled::block::Entry;
use crate::store::sled::overlay::{Day, Quarter, Quarters};
use crate::store::sled::rows::DayRow;
use crate::store::{Fact, StoreError};
use crate::totals::Table;

/// What was used on each day of each level, weighed: a day's quarter-hours for every provider and
/// model are many times its weight in memory.
#[derive(Default)]
pub struct Days {
    weights: HashMap<(SubjectId, Day), u128>,
    scales: Scales,
}

/// Days in which something differs, with what they should be.
type Wrong = BTreeMap<(SubjectId, Day), Quarters>;

impl Days {
    pub fn add(&mut self, entry: &Entry) {
        let Some(fact) = entry.change.fact() else { return };
        let quarter = Quarter::of(fact.occurred_at());
        let weight = self.scales.weigh_fact(quarter, &fact);
        for subject in fact.subject().levels() {
            let sum = self.weights.entry((subject, quarter.day())).or_default();
            *sum = sum.wrapping_add(weight);
        }
    }

    pub fn compare(mut self, store: &SledStore, differences: &mut Differences) {
        // Among them may be some that no block knows of.
        for day in store.rows.all_days() {
            if let Some(day) = differences.readable("a day", day) {
                self.weights.entry(day).or_default();
            }
        }
        let mut wrong = Wrong::new();
        // Neighbours lie on one page.
        let mut weights: Vec<_> = self.weights.into_iter().collect();
        weights.sort_unstable();
        for ((subject, day), weight) in weights {
            let stored = store.rows.day(&subject, day);
            let stored = differences.readable_of(Some(&subject), &row(day), stored);
            let found = stored.and_then(|stored| {
                let stored = stored.unwrap_or_default();
                compare_parts(&subject, day, &stored, differences);
                let found = with_memory(store, &subject, day, stored);
                differences.readable_of(Some(&subject), &row(day), found)
            });
            match found.map(|found| weigh(&self.scales, &found)) {
                Some(found) if found == weight => {}
                Some(_) if wrong.len() < NAMED_MAX => {
                    wrong.insert((subject, day), Quarters::new());
                }
                Some(_) => differences.push(Some(&subject), &row(day), "other sums", "these"),
                None => {}
            }
        }
        if !wrong.is_empty() {
            name(store, wrong, differences);
        }
    }
}

fn weigh(scales: &Scales, quarters: &Quarters) -> u128 {
    quarters.iter().fold(0, |sum: u128, (quarter, table)| {
        sum.wrapping_add(scales.weigh_table(*quarter, table))
    })
}

/// Adds up the days that differ, and compares them quarter by quarter.
fn name(store: &SledStore, mut wrong: Wrong, differences: &mut Differences) {
    for block in store.rows.blocks_after(0) {
        let Ok((_, entries)) = block else { break };
        for entry in entries.unwrap_or_default() {
            entry.change.fact().into_iter().for_each(|fact| add(&mut wrong, &fact));
        }
    }
    let nothing = Table::default();
    for ((subject, day), expected) in wrong {
        let Ok(stored) = store.rows.day(&subject, day) else { continue };
        let stored = stored.unwrap_or_default();
        let Ok(found) = with_memory(store, &subject, day, stored) else { continue };
        let quarters: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
        for quarter in quarters {
            let row = format!("the quarter-hour from {}", quarter.start());
            let [expected, found] =
                [&expected, &found].map(|all| all.get(quarter).map_or(&nothing, Box::as_ref));
            differences.compare_tables(&subject, &row, expected, found);
        }
    }
}

fn add(wrong: &mut Wrong, fact: &Fact) {
    let quarter = Quarter::of(fact.occurred_at());
    for subject in fact.subject().levels() {
        if let Some(quarters) = wrong.get_mut(&(subject, quarter.day())) {
            // A sum that cannot be counted differs from what is stored.
            let _ = accounts::add(quarters.entry(quarter).or_default(), fact);
        }
    }
}

/// Compares the sums in front of a row with the quarters behind them.
fn compare_parts(subject: &SubjectId, day: Day, stored: &DayRow, differences: &mut Differences) {
    let Range { mut start, end } = Quarter::all_of_day(day);
    if stored.parts.is_empty() {
        return;
    }
    for part in &stored.parts {
        let row = format!("the sum from {} to {}", part.start.start(), part.end.start());
        if part.start != start || part.end <= part.start || part.end > end {
            differences.push(Some(subject), &row, format!("one from {}", start.start()), "this");
            return;
        }
        start = part.end;
        let mut sum = Table::default();
        for (_, used) in stored.quarters.range(part.start..part.end) {
            // A sum that cannot be counted differs from what is stored.
            let _ = sum.add_all(used);
        }
        differences.compare_tables(subject, &row, &sum, &part.table);
    }
    if start != end {
        let expected = format!("sums to {}", end.start());
        differences.push(Some(subject), &row(day), expected, format!("to {}", start.start()));
    }
}

/// What the store adds up a span from.
fn with_memory(
    store: &SledStore,
    subject: &SubjectId,
    day: Day,
    stored: DayRow,
) -> Result<Quarters, StoreError> {
    let DayRow { as_of, mut quarters, .. } = stored;
    let memory = store.memory.read();
    for overlay in memory.overlays().filter(|overlay| overlay.last().block > as_of) {
        for (quarter, used) in overlay.uses(subject, &Quarter::all_of_day(day)) {
            used.apply(quarters.entry(quarter).or_default())?;
        }
    }
    Ok(quarters)
}

fn row(day: Day) -> String {
    format!("the day from {}", Quarter::first_of(day).start())
}
