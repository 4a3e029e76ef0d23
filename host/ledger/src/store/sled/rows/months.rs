//! What a level used in the months of its calendar, so that a past month is one row to read.
//!
//! A month's row is the sum of its quarter-hours. It is written in one batch with the days that
//! it is the sum of, so that it contains a block where they do, and never where they do not. A
//! month with use on a single day has no row: the day's is no longer to read. Where a level has
//! changed its calendar, months are added up anew from their days.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tollgate_domain::{Calendar, Span, SubjectId, Timestamp, Window};

use super::key::in_order_at;
use super::{DayRow, Key, RowWriter, Rows, inventory, unreadable};
use crate::store::StoreError;
use crate::store::sled::overlay::{Day, Quarter, Used, Uses};
use crate::totals::Table;

/// No month is longer, whatever its time zone does in it.
const MONTH_MICROS_MAX: i64 = 32 * 24 * 3600 * 1_000_000;

/// What was used in a month.
#[derive(Debug, Serialize, Deserialize)]
pub struct Month {
    /// The last block that it contains.
    pub as_of: u64,
    end: Timestamp,
    pub table: Table,
}

impl Rows {
    /// What a level used in a span, if that is a month with a row.
    pub fn month(&self, subject: &SubjectId, span: &Span) -> Result<Option<Month>, StoreError> {
        let Some(end) = span.end else { return Ok(None) };
        let month: Option<Month> = self.get(&Key::month(subject, span.start))?;
        Ok(month.filter(|month| month.end == end))
    }

    /// A level's months that have rows and begin from `first` to `last`.
    fn months(
        &self,
        subject: &SubjectId,
        first: Timestamp,
        last: Timestamp,
    ) -> Result<BTreeMap<Timestamp, Month>, StoreError> {
        let parts = Key::month(subject, first).part(0)..=Key::month(subject, last).part(0);
        let mut found = BTreeMap::new();
        for key in self.tree.range(parts).keys() {
            if let Some(key) = key?.strip_suffix(&[0]) {
                let (start, month) = self.month_at(key)?;
                found.insert(start, month);
            }
        }
        Ok(found)
    }

    /// All months that have rows, and whose they are.
    pub fn all_months(&self) -> impl Iterator<Item = Result<(SubjectId, Span), StoreError>> {
        self.keys(b'S').map(|key| {
            let key = key?;
            let name = key.len().checked_sub(size_of::<i64>() + 1).and_then(|end| key.get(..end));
            let subject = inventory::subject(name.unwrap_or(&[]))?;
            let (start, month) = self.month_at(&key)?;
            Ok((subject, Span { start, end: Some(month.end) }))
        })
    }

    fn month_at(&self, key: &[u8]) -> Result<(Timestamp, Month), StoreError> {
        let start = key.last_chunk::<8>().and_then(|bytes| in_order_at(bytes));
        let start = Timestamp::from_micros(start.ok_or_else(|| unreadable("a month's key"))?);
        let month = self.get(&Key(key.to_vec()))?;
        Ok((start, month.ok_or_else(|| unreadable("a month"))?))
    }

    /// Brings a level's days, and the months that they lie in, to what they are with this.
    pub(super) fn condense_days(
        &self,
        writer: &mut RowWriter<'_>,
        subject: &SubjectId,
        uses: &Uses,
        as_of: u64,
        calendar: &Calendar,
    ) -> Result<(), StoreError> {
        let mut written = BTreeMap::new();
        // By their beginnings, with their ends and what was used in them.
        let mut months: BTreeMap<Timestamp, (Timestamp, Vec<&Used>)> = BTreeMap::new();
        for (day, uses) in uses.days() {
            let mut row = self.day(subject, day)?.unwrap_or_default();
            if row.as_of >= as_of {
                continue;
            }
            row.as_of = as_of;
            row.take_in(day, uses, calendar)?;
            for (quarter, used) in uses {
                let Span { start, end } = Window::Month.span(quarter.start(), calendar);
                let month = months.entry(start).or_insert((end.unwrap_or(start), vec![]));
                month.1.push(used);
            }
            writer.add(&Key::day(subject, day), &row)?;
            written.insert(day, row);
        }
        for (start, (end, uses)) in months {
            let table = match self.take_over(writer, subject, start, end)? {
                Some(mut table) => {
                    uses.iter().try_for_each(|used| used.apply(&mut table))?;
                    Some(table)
                }
                None => self.add_up_month(subject, start, end, &written)?,
            };
            if let Some(table) = table {
                writer.add(&Key::month(subject, start), &Month { as_of, end, table })?;
            }
        }
        writer.pause()
    }

    /// What a month's row says that is about to be written anew; those of other calendars that
    /// overlap it are forgotten.
    fn take_over(
        &self,
        writer: &mut RowWriter<'_>,
        subject: &SubjectId,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Option<Table>, StoreError> {
        let first = Timestamp::from_micros(start.micros().saturating_sub(MONTH_MICROS_MAX));
        let mut found = None;
        for (other, month) in self.months(subject, first, end)? {
            if (other, month.end) == (start, end) {
                found = Some(month.table);
            } else if other < end && month.end > start {
                self.forget_month(writer, subject, other)?;
            }
        }
        Ok(found)
    }

    /// Writes the months of a level whose calendar may have changed, and forgets those of other
    /// calendars; cuts its days anew where they are cut otherwise. They must have been written, up
    /// to this block.
    pub(super) fn condense_months(
        &self,
        writer: &mut RowWriter<'_>,
        subject: &SubjectId,
        as_of: u64,
        calendar: &Calendar,
    ) -> Result<(), StoreError> {
        for day in self.days_cut_otherwise(subject, calendar) {
            let (day, row) = day?;
            writer.put(&Key::day(subject, day), &row)?;
        }
        let mut missing: BTreeMap<Timestamp, Timestamp> = BTreeMap::new();
        for day in self.days_with_rows(subject, Day::MIN, Day::MAX) {
            let day = day?;
            for quarter in [Quarter::first_of(day), Quarter::last_of(day)] {
                let Span { start, end } = Window::Month.span(quarter.start(), calendar);
                missing.insert(start, end.unwrap_or(start));
            }
        }
        let (first, last) = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
        for (start, month) in self.months(subject, first, last)? {
            match missing.get(&start) == Some(&month.end) {
                true => drop(missing.remove(&start)),
                false => self.forget_month(writer, subject, start)?,
            }
        }
        for (start, end) in missing {
            let table = self.add_up_month(subject, start, end, &BTreeMap::new())?;
            if let Some(table) = table {
                writer.add(&Key::month(subject, start), &Month { as_of, end, table })?;
            }
        }
        writer.pause()
    }

    /// Adds up the days of a month, of which some are about to be written; `None` where it has
    /// use on one day or none.
    fn add_up_month(
        &self,
        subject: &SubjectId,
        start: Timestamp,
        end: Timestamp,
        about_to_be: &BTreeMap<Day, DayRow>,
    ) -> Result<Option<Table>, StoreError> {
        let quarters = Quarter::of(start)..Quarter::of(end);
        let (first, last) = (quarters.start.day(), quarters.end.last_day_before());
        let mut days: BTreeSet<_> =
            self.days_with_rows(subject, first, last).collect::<Result<_, _>>()?;
        days.extend(about_to_be.range(first..=last).map(|(day, _)| *day));
        let (mut table, mut used_on) = (Table::default(), 0);
        // The most usual month by far needs no look at its day.
        for day in days.iter().filter(|_| days.len() > 1) {
            let used = match about_to_be.get(day) {
                Some(row) => row.add_within(&quarters, &mut table)?,
                None => self
                    .day(subject, *day)?
                    .unwrap_or_default()
                    .add_within(&quarters, &mut table)?,
            };
            used_on += usize::from(used);
        }
        Ok((used_on > 1).then_some(table))
    }

    fn forget_month(
        &self,
        writer: &mut RowWriter<'_>,
        subject: &SubjectId,
        start: Timestamp,
    ) -> Result<(), StoreError> {
        for key in self.tree.scan_prefix(Key::month(subject, start).0).keys() {
            writer.batch.remove(key?);
        }
        Ok(())
    }
}
