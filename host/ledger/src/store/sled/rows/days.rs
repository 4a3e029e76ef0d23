//! What a level used on each day, quarter-hour by quarter-hour.
//!
//! Days are those of UTC, and their quarters fit every calendar. In front of them lie the sums of
//! the parts that the level's own calendar cuts the day into, so that what was used on a day of
//! that calendar takes no longer to tell the more was used on it.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use sled::IVec;
use tollgate_domain::{Calendar, SubjectId, Window};

use super::{Key, Rows, decode, last_day, unreadable};
use crate::store::StoreError;
use crate::store::sled::overlay::{Day, Quarter, Quarters, Used};
use crate::totals::{Overflow, Table};

/// A day with no more quarters has no parts: they would be as long to read, and to keep.
const QUARTERS_WITHOUT_PARTS: usize = 4;

/// What was used on a day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DayRow {
    /// The last block that it contains.
    pub as_of: u64,
    /// In their order, all of the day; none where there are few quarters.
    pub parts: Vec<Part>,
    pub quarters: Quarters,
}

/// The quarters of a day that lie in the same day of a level's calendar, and their sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub start: Quarter,
    pub end: Quarter,
    pub table: Table,
}

/// What a row begins with.
#[derive(Deserialize)]
struct Front {
    as_of: u64,
    parts: Vec<Part>,
}

impl DayRow {
    /// Takes in what was used on its day; `calendar` is that of the level.
    pub fn take_in(
        &mut self,
        day: Day,
        uses: &[(Quarter, Box<Used>)],
        calendar: &Calendar,
    ) -> Result<(), Overflow> {
        for (quarter, used) in uses {
            used.apply(self.quarters.entry(*quarter).or_default())?;
        }
        if self.quarters.len() <= QUARTERS_WITHOUT_PARTS {
            return Ok(());
        }
        let cut = cut(day, calendar);
        if !is_cut_so(&self.parts, &cut) {
            return self.cut_anew(&cut);
        }
        for (quarter, used) in uses {
            if let Some(part) = self.parts.iter_mut().find(|part| part.all().contains(quarter)) {
                used.apply(&mut part.table)?;
            }
        }
        Ok(())
    }

    /// Adds what was used in `quarters`, and tells whether anything was.
    pub fn add_within(&self, quarters: &Range<Quarter>, sum: &mut Table) -> Result<bool, Overflow> {
        let (mut used, mut from_quarters) = (false, self.parts.is_empty());
        for part in &self.parts {
            match part.lies_in(quarters) {
                Some(true) => {
                    sum.add_all(&part.table)?;
                    used |= !part.table.is_empty();
                }
                Some(false) => {}
                None => from_quarters = true,
            }
        }
        let apart = |quarter: &Quarter| {
            let in_sum =
                |part: &Part| part.all().contains(quarter) && part.lies_in(quarters) == Some(true);
            quarters.contains(quarter) && !self.parts.iter().any(in_sum)
        };
        if from_quarters {
            for (_, table) in self.quarters.iter().filter(|(quarter, _)| apart(quarter)) {
                sum.add_all(table)?;
                used = true;
            }
        }
        Ok(used)
    }

    fn cut_anew(&mut self, cut: &[Range<Quarter>]) -> Result<(), Overflow> {
        let parts = cut.iter().map(|Range { start, end }| {
            let mut table = Table::default();
            for (_, used) in self.quarters.range(start..end) {
                table.add_all(used)?;
            }
            Ok(Part { start: *start, end: *end, table })
        });
        self.parts = parts.collect::<Result<_, _>>()?;
        Ok(())
    }
}

impl Part {
    fn all(&self) -> Range<Quarter> {
        self.start..self.end
    }

    /// Whether all of it lies in these quarters, or none of it; `None` where some does.
    fn lies_in(&self, quarters: &Range<Quarter>) -> Option<bool> {
        if quarters.start <= self.start && self.end <= quarters.end {
            return Some(true);
        }
        (self.end <= quarters.start || quarters.end <= self.start).then_some(false)
    }
}

/// What a calendar cuts a day into.
fn cut(day: Day, calendar: &Calendar) -> Vec<Range<Quarter>> {
    let Range { mut start, end } = Quarter::all_of_day(day);
    let mut parts = Vec::with_capacity(2);
    while start < end {
        let next = Window::Day.span(start.start(), calendar).end.map_or(end, Quarter::of);
        // In the nineteenth century, days began at any second.
        let next = next.clamp(start.next(), end);
        parts.push(start..next);
        start = next;
    }
    parts
}

fn is_cut_so(parts: &[Part], cut: &[Range<Quarter>]) -> bool {
    parts.iter().map(Part::all).eq(cut.iter().cloned())
}

impl Rows {
    /// A level's days in spans that follow one another. Of each, no more is read than it takes to
    /// add up what lies in the spans: perhaps no quarters.
    pub fn days(
        &self,
        subject: &SubjectId,
        spans: &[Range<Quarter>],
    ) -> impl Iterator<Item = Result<(Day, DayRow), StoreError>> {
        let first = spans.first().map_or(Day::MAX, |span| span.start.day());
        let last = spans.last().map_or(Day::MIN, |span| span.end.last_day_before());
        self.first_parts(subject, first, last).map(move |row| {
            let (day, first) = row?;
            let Range { start, end } = Quarter::all_of_day(day);
            let from = spans.partition_point(|span| span.end <= start);
            let mut within = spans[from..].iter().take_while(|span| span.start < end);
            let row = match front(&first) {
                Some(front) if within.all(|span| front.tells(span)) => {
                    let Front { as_of, parts } = front;
                    DayRow { as_of, parts, ..DayRow::default() }
                }
                _ if first.first() == Some(&0) => decode(&first[1..])?,
                _ => self.day(subject, day)?.ok_or_else(|| unreadable("a day"))?,
            };
            Ok((day, row))
        })
    }

    /// Which of a level's days from `first` to `last` have rows.
    pub fn days_with_rows(
        &self,
        subject: &SubjectId,
        first: Day,
        last: Day,
    ) -> impl Iterator<Item = Result<Day, StoreError>> + use<> {
        self.first_parts(subject, first, last).map(|row| Ok(row?.0))
    }

    /// The days whose parts another calendar cuts otherwise, with what they should be.
    pub(super) fn days_cut_otherwise(
        &self,
        subject: &SubjectId,
        calendar: &Calendar,
    ) -> impl Iterator<Item = Result<(Day, DayRow), StoreError>> {
        self.first_parts(subject, Day::MIN, Day::MAX).filter_map(|row| {
            let recut = |(day, first): (Day, IVec)| {
                let cut = cut(day, calendar);
                match front(&first) {
                    Some(Front { parts, .. }) if parts.is_empty() || is_cut_so(&parts, &cut) => {
                        return Ok(None);
                    }
                    _ => {}
                }
                let mut row = self.day(subject, day)?.ok_or_else(|| unreadable("a day"))?;
                row.cut_anew(&cut)?;
                Ok(Some((day, row)))
            };
            row.and_then(recut).transpose()
        })
    }

    /// The first parts of a level's rows.
    fn first_parts(
        &self,
        subject: &SubjectId,
        first: Day,
        last: Day,
    ) -> impl Iterator<Item = Result<(Day, IVec), StoreError>> + use<> {
        let keys = Key::day(subject, first).part(0)..=Key::day(subject, last).part(u8::MAX);
        self.tree.range(keys).filter_map(|row| match row {
            Ok((key, first)) => {
                let key = key.strip_suffix(&[0])?;
                Some(last_day(key).map(|day| (day, first)))
            }
            Err(error) => Some(Err(error.into())),
        })
    }

    pub fn day(&self, subject: &SubjectId, day: Day) -> Result<Option<DayRow>, StoreError> {
        self.get(&Key::day(subject, day))
    }

    /// The last block that a day's row contains; 0 if there is no row.
    pub fn day_as_of(&self, subject: &SubjectId, day: Day) -> Result<u64, StoreError> {
        Ok(self.day(subject, day)?.map_or(0, |row| row.as_of))
    }
}

impl Front {
    /// Whether the parts alone tell what was used in these quarters.
    fn tells(&self, quarters: &Range<Quarter>) -> bool {
        !self.parts.is_empty() && self.parts.iter().all(|part| part.lies_in(quarters).is_some())
    }
}

/// What the first part of a row begins with, if that fits into it.
fn front(first: &[u8]) -> Option<Front> {
    let (front, _) = postcard::take_from_bytes(first.get(1..)?).ok()?;
    Some(front)
}
