//! Sliding windows: what each of a level's tallies should say.
//!
//! What was kept from events follows from them to the last digit. What was added up before that
//! lies in buckets of unknown instants: at every one of them, it must be at least what was used
//! from then on, and no more than what was used from one bucket's width earlier on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tollgate_domain::{Amount, SlidingSeconds, SubjectId, Timestamp};

use super::difference::Differences;
use crate::correction::Use;
use crate::event::Event;
use crate::sliding::{Bucket, Grain, SlidingTally, part_micros};
use crate::store::{Fact, Version};

/// What the blocks say of one tally. Only what still counts at the end of the blocks is compared:
/// the rest may be forgotten.
pub struct Sliding {
    /// The end of the blocks.
    until: Timestamp,
    /// The latest use and the amount of what was kept, by how wide the buckets are and by their
    /// places.
    kept: BTreeMap<(u8, i64), (Timestamp, Amount)>,
    /// What was used before it was kept, between the instants of the buckets that were added up.
    at_least: Vec<Amount>,
    at_most: Vec<Amount>,
}

impl Sliding {
    pub fn new(tally: &SlidingTally, until: Timestamp) -> Self {
        let intervals = vec![Amount::ZERO; added_up(tally).count() + 1];
        let kept = BTreeMap::new();
        Self { until, kept, at_least: intervals.clone(), at_most: intervals }
    }

    /// Takes in a fact, with which its level has this version.
    pub fn add(&mut self, tally: &SlidingTally, version: Version, fact: &Fact) {
        match fact {
            Fact::Event(event) => self.add_event(tally, version, event),
            // What is corrected in the window is added up anew, after the correction.
            Fact::Correction(_) if version > tally.since() => {}
            Fact::Correction(correction) => {
                let Use { usage, cost } = &correction.amendment.before;
                let taken = tally.measure_use(
                    &correction.provider,
                    correction.model.as_ref(),
                    usage,
                    *cost,
                );
                let Use { usage, cost } = &correction.amendment.after;
                let added = tally.measure_use(
                    &correction.provider,
                    correction.model.as_ref(),
                    usage,
                    *cost,
                );
                let change = added.checked_sub(taken).unwrap_or_default();
                self.add_before(tally, correction.occurred_at, change);
            }
        }
    }

    fn add_event(&mut self, tally: &SlidingTally, version: Version, event: &Event) {
        let (at, amount) = (event.report.occurred_at, tally.measure(&event.report));
        if version > tally.since() {
            if tally.counts(at, event.recorded_at) && amount > Amount::ZERO {
                let place = place(tally.seconds(), at, event.recorded_at);
                let (latest, sum) = self.kept.entry(place).or_insert((at, Amount::ZERO));
                (*latest, *sum) = ((*latest).max(at), sum.saturating_add(amount));
            }
            return;
        }
        self.add_before(tally, at, amount);
    }

    /// Takes in what was used before the tally was kept.
    fn add_before(&mut self, tally: &SlidingTally, at: Timestamp, amount: Amount) {
        if tally.counts(at, self.until) {
            let earlier = added_up(tally).take_while(|bucket| bucket.latest < at).count();
            self.at_least[earlier] = self.at_least[earlier].saturating_add(amount);
        }
        let width = Duration::from_micros(part_micros(tally.seconds()).unsigned_abs());
        let begun = added_up(tally).take_while(|bucket| bucket.latest.minus(width) < at).count();
        self.at_most[begun] = self.at_most[begun].saturating_add(amount);
    }

    pub fn compare(
        &self,
        tally: &SlidingTally,
        subject: &SubjectId,
        differences: &mut Differences,
    ) {
        let row = tally.name();
        let all = tally.buckets().iter().map(|bucket| bucket.amount);
        let sum = all.fold(Amount::ZERO, Amount::saturating_add);
        if sum != tally.sum() {
            differences.push(Some(subject), &format!("{row}, its sum"), sum, tally.sum());
        }
        self.compare_kept(tally, &row, subject, differences);
        self.compare_added_up(tally, &row, subject, differences);
    }

    fn compare_kept(
        &self,
        tally: &SlidingTally,
        row: &str,
        subject: &SubjectId,
        differences: &mut Differences,
    ) {
        let mut found = BTreeMap::new();
        for Bucket { latest, amount, grain } in tally.buckets() {
            if let Grain::Doubled(doubled) = grain {
                let index = latest.micros().div_euclid(width(tally.seconds(), *doubled));
                found.insert((*doubled, index), (*latest, *amount));
            }
        }
        let places: BTreeSet<_> = self.kept.keys().chain(found.keys()).collect();
        for place in places {
            let [expected, found] = [self.kept.get(place), found.get(place)];
            let counts = |bucket: Option<&(Timestamp, Amount)>| {
                bucket.is_some_and(|(latest, _)| tally.counts(*latest, self.until))
            };
            if expected != found && (counts(expected) || counts(found)) {
                let [expected, found] = [expected, found].map(|bucket| match bucket {
                    Some((latest, amount)) => format!("{amount} until {latest}"),
                    None => "nothing".to_owned(),
                });
                differences.push(Some(subject), row, expected, found);
            }
        }
    }

    fn compare_added_up(
        &self,
        tally: &SlidingTally,
        row: &str,
        subject: &SubjectId,
        differences: &mut Differences,
    ) {
        let found: Vec<_> = added_up(tally).collect();
        let amounts: Vec<_> = found.iter().map(|bucket| bucket.amount).collect();
        for first in 0..=found.len() {
            let sum = sum_from(&amounts, first);
            let at_least = sum_from(&self.at_least, first);
            // The bucket itself began at most its width before its latest use.
            let at_most = sum_from(&self.at_most, first + 1);
            if sum < at_least || sum > at_most {
                let since = match first.checked_sub(1).and_then(|earlier| found.get(earlier)) {
                    Some(earlier) => format!("{row}, added up, after {}", earlier.latest),
                    None => format!("{row}, added up"),
                };
                let expected = format!("{at_least} to {at_most}");
                return differences.push(Some(subject), &since, expected, sum);
            }
        }
    }
}

fn added_up(tally: &SlidingTally) -> impl Iterator<Item = &Bucket> {
    tally.buckets().iter().filter(|bucket| bucket.grain == Grain::AddedUp)
}

fn sum_from(amounts: &[Amount], first: usize) -> Amount {
    amounts.iter().skip(first).fold(Amount::ZERO, |sum, next| sum.saturating_add(*next))
}

/// Where a use is kept: a bucket is a 128th of the window wide, and for what is dated more than
/// four times its width ahead, as often twice that as it takes.
fn place(seconds: SlidingSeconds, at: Timestamp, recorded_at: Timestamp) -> (u8, i64) {
    let ahead = at.since(recorded_at).as_micros();
    let reaches = |doubled: &u8| ahead <= 4 * width(seconds, *doubled).unsigned_abs() as u128;
    let doubled = (0..=u8::MAX).find(reaches).unwrap_or_default();
    (doubled, at.micros().div_euclid(width(seconds, doubled)))
}

/// In microseconds.
fn width(seconds: SlidingSeconds, doubled: u8) -> i64 {
    let narrowest = (i64::from(seconds.get()) * 1_000_000).div_euclid(128);
    let narrowest = narrowest + i64::from(narrowest * 128 < i64::from(seconds.get()) * 1_000_000);
    (0..doubled).fold(narrowest, |width, _| width.saturating_mul(2))
}
