//! The months that have rows: what each level used in them.

use std::collections::{BTreeMap, HashMap};

use tollgate_domain::{Span, SubjectId, Timestamp};

use super::accounts;
use super::difference::{Differences, NAMED_MAX};
use super::scales::Scales;
use crate::store::sled::SledStore;
use crate::store::sled::block::Entry;
use crate::store::{Fact, Store};
use crate::totals::Table;

/// What the blocks say of months, weighed. Which months there are, only the rows know: one that
/// has none is added up from its days.
pub struct Months {
    levels: HashMap<SubjectId, Vec<(Span, u128)>>,
    scales: Scales,
}

/// Months in which something differs, by their beginning and end, with what they should be.
type Wrong = HashMap<SubjectId, BTreeMap<(Timestamp, Option<Timestamp>), Table>>;

impl Months {
    pub fn new(store: &SledStore, differences: &mut Differences) -> Self {
        let mut levels: HashMap<_, Vec<_>> = HashMap::new();
        for month in store.rows.all_months() {
            if let Some((subject, span)) = differences.readable("a month", month) {
                levels.entry(subject).or_default().push((span, 0));
            }
        }
        Self { levels, scales: Scales::default() }
    }

    pub fn add(&mut self, entry: &Entry) {
        let Some(fact) = entry.change.fact() else { return };
        let weight = self.scales.weigh_fact((), &fact);
        for subject in fact.subject().levels() {
            for (span, sum) in self.levels.get_mut(&subject).into_iter().flatten() {
                if span.contains(fact.occurred_at()) {
                    *sum = sum.wrapping_add(weight);
                }
            }
        }
    }

    pub fn compare(self, store: &SledStore, differences: &mut Differences) {
        let mut levels: Vec<_> = self.levels.into_iter().collect();
        levels.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut wrong = Wrong::new();
        for (subject, months) in levels {
            for (span, weight) in months {
                let found = store.used(&subject, &span);
                let Some(found) = differences.readable_of(Some(&subject), &row(span), found) else {
                    continue;
                };
                if self.scales.weigh_table((), &found) == weight {
                    continue;
                }
                if wrong.len() < NAMED_MAX {
                    let months = wrong.entry(subject.clone()).or_default();
                    months.insert((span.start, span.end), Table::default());
                } else {
                    differences.push(Some(&subject), &row(span), "other sums", "these");
                }
            }
        }
        if !wrong.is_empty() {
            name(store, wrong, differences);
        }
    }
}

/// Adds up the months that differ, and compares them.
fn name(store: &SledStore, mut wrong: Wrong, differences: &mut Differences) {
    for block in store.rows.blocks_after(0) {
        let Ok((_, entries)) = block else { break };
        for entry in entries.unwrap_or_default() {
            entry.change.fact().into_iter().for_each(|fact| add(&mut wrong, &fact));
        }
    }
    for (subject, months) in wrong {
        for ((start, end), expected) in months {
            let span = Span { start, end };
            if let Ok(found) = store.used(&subject, &span) {
                differences.compare_tables(&subject, &row(span), &expected, &found);
            }
        }
    }
}

fn add(wrong: &mut Wrong, fact: &Fact) {
    for subject in fact.subject().levels() {
        for ((start, end), sum) in wrong.get_mut(&subject).into_iter().flatten() {
            if (Span { start: *start, end: *end }).contains(fact.occurred_at()) {
                // A sum that cannot be counted differs from what is stored.
                let _ = accounts::add(sum, fact);
            }
        }
    }
}

fn row(span: Span) -> String {
    format!("the sum of the month from {}", span.start)
}
