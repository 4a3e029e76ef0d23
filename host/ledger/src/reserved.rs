//! What the open reservations of one level hold.

use std::collections::BTreeMap;

use tollgate_domain::{Amount, Quota, Timestamp};

use crate::reservation::Reservation;
use crate::totals::{Overflow, Table, Totals};

/// How much time is added up in one sum, in microseconds, the finest first: each is a whole number
/// of the one before.
const GRAINS: [i64; 3] = [62_500, 1_000_000, 60_000_000];

/// Holds added up by when they were created.
///
/// By the minute, for windows by the calendar: none begins within one. A sliding window begins
/// anywhere: it adds up the minutes that lie in it as a whole, and at its edge seconds and
/// sixteenths of seconds, so that it reads few sums and counts a hold for a sixteenth of a second
/// too long at most. What is finer than a minute is kept from when it is first needed.
#[derive(Debug, Default)]
pub struct Reserved {
    sums: [BTreeMap<i64, Table>; GRAINS.len()],
    /// Whether there is more than minutes.
    is_fine: bool,
}

impl Reserved {
    pub fn add(&mut self, hold: &Reservation) -> Result<(), Overflow> {
        add(self.kept(), hold)
    }

    /// Keeps sums for sliding windows from now on; `holds` are all that it contains.
    pub fn refine<'a>(&mut self, holds: impl Iterator<Item = &'a Reservation>) {
        if !self.is_fine {
            self.is_fine = true;
            let [finer @ .., _] = &mut self.sums;
            for hold in holds {
                // No more than a part of the minutes' sums, which have it already.
                let _ = add(finer.iter_mut().zip(GRAINS), hold);
            }
        }
    }

    /// Takes back what was added before.
    pub fn subtract(&mut self, hold: &Reservation) {
        let (call, held) = (&hold.call, held(hold));
        for (sums, grain) in self.kept() {
            let part = part(hold.created_at, grain);
            if let Some(table) = sums.get_mut(&part) {
                table.subtract(&call.provider, call.model.as_ref(), &held);
                if table.is_empty() {
                    sums.remove(&part);
                }
            }
        }
    }

    /// What a quota counts of the holds created at `start` or later.
    pub fn read(&self, quota: &Quota, start: Timestamp) -> Amount {
        let tables = self.coarsely(start).map(|(_, table)| table);
        tables.fold(Amount::ZERO, |sum, table| sum.saturating_add(table.read(quota)))
    }

    /// What a quota counts of the holds created at `start` or later, in the order of their
    /// creation: each sum with the instant before which all of it was created.
    pub fn by_creation<'a>(
        &'a self,
        quota: &'a Quota,
        start: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, Amount)> + 'a {
        let [grain, ..] = GRAINS;
        let [sums, ..] = &self.sums;
        sums.range(part(start, grain)..).filter_map(move |(part, table)| {
            let amount = table.read(quota);
            (amount > Amount::ZERO).then(|| (end(*part, grain), amount))
        })
    }

    /// The instant before which the oldest were created of the holds that a quota counts, among
    /// those created at `start` or later.
    pub fn oldest(&self, quota: &Quota, start: Timestamp) -> Option<Timestamp> {
        let mut counted =
            self.coarsely(start).filter(|(_, table)| table.read(quota) > Amount::ZERO);
        let ((mut level, mut part), _) = counted.next()?;
        while let Some(finer) = level.checked_sub(1) {
            let times = GRAINS[level] / GRAINS[finer];
            let mut parts = self.sums[finer].range(part * times..(part + 1) * times);
            let (first, _) = parts.find(|(_, table)| table.read(quota) > Amount::ZERO)?;
            (level, part) = (finer, *first);
        }
        Some(end(part, GRAINS[level]))
    }

    /// The sums that are kept, each with its grain.
    fn kept(&mut self) -> impl Iterator<Item = (&mut BTreeMap<i64, Table>, i64)> {
        let passed_over = if self.is_fine { 0 } else { GRAINS.len() - 1 };
        self.sums.iter_mut().zip(GRAINS).skip(passed_over)
    }

    /// As few sums as hold all that was created at `start` or later, in the order of time: each
    /// with its level and its place there.
    fn coarsely(&self, start: Timestamp) -> impl Iterator<Item = ((usize, i64), &Table)> {
        let mut from = start.micros();
        (0..GRAINS.len()).flat_map(move |level| {
            let first = from.div_euclid(GRAINS[level]);
            let end = match GRAINS.get(level + 1) {
                Some(coarser) => {
                    from = (from + coarser - 1).div_euclid(*coarser) * coarser;
                    from / GRAINS[level]
                }
                None => i64::MAX,
            };
            self.sums[level].range(first..end).map(move |(part, table)| ((level, *part), table))
        })
    }
}

fn add<'a>(
    sums: impl Iterator<Item = (&'a mut BTreeMap<i64, Table>, i64)>,
    hold: &Reservation,
) -> Result<(), Overflow> {
    let (call, held) = (&hold.call, held(hold));
    for (sums, grain) in sums {
        let table = sums.entry(part(hold.created_at, grain)).or_default();
        table.add(&call.provider, call.model.as_ref(), &held)?;
    }
    Ok(())
}

fn held(hold: &Reservation) -> Totals {
    Totals::of_usage(&hold.call.usage, hold.cost)
}

fn part(at: Timestamp, grain: i64) -> i64 {
    at.micros().div_euclid(grain)
}

fn end(part: i64, grain: i64) -> Timestamp {
    Timestamp::from_micros((part + 1).saturating_mul(grain))
}
