//! What a level used in a span of time, out of rows and what is not in them yet.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use tollgate_domain::{Span, SubjectId};

use super::overlay::{Day, Overlay, Quarter};
use super::{Memory, SledStore};
use crate::store::StoreError;
use crate::totals::Table;

/// No month is shorter, whatever its time zone does in it.
const MONTH_MIN: Duration = Duration::from_secs(26 * 24 * 3600);

/// What was used in a span, and what corrections say was not: the one may lie in an earlier
/// overlay than the other.
struct Sum {
    quarters: Range<Quarter>,
    added: Table,
    taken: Table,
}

impl SledStore {
    pub(super) fn used_in(&self, subject: &SubjectId, span: &Span) -> Result<Table, StoreError> {
        let is_long = span.end.is_some_and(|end| end >= span.start.plus(MONTH_MIN));
        // The lock keeps what is being condensed from being forgotten, and so from being missed;
        // a row tells whether it is in there already.
        let memory = self.memory.read();
        let month = if is_long { self.rows.month(subject, span)? } else { None };
        let Some(month) = month else {
            let mut sums = self.sum_up(&memory, subject, &[*span])?;
            return Ok(sums.pop().unwrap_or_default());
        };
        let mut sum = Sum::of(span);
        sum.added = month.table;
        for overlay in memory.overlays().filter(|overlay| overlay.last().block > month.as_of) {
            sum.add(overlay, subject, |_| false)?;
        }
        sum.total()
    }

    pub(super) fn add_up_days(
        &self,
        subject: &SubjectId,
        spans: &[Span],
    ) -> Result<Vec<Table>, StoreError> {
        let memory = self.memory.read();
        self.sum_up(&memory, subject, spans)
    }

    fn sum_up(
        &self,
        memory: &Memory,
        subject: &SubjectId,
        spans: &[Span],
    ) -> Result<Vec<Table>, StoreError> {
        let mut sums: Vec<_> = spans.iter().map(Sum::of).collect();
        let quarters: Vec<_> = spans.iter().map(Quarter::all_of).collect();
        let mut as_of: BTreeMap<Day, u64> = BTreeMap::new();
        for day in self.rows.days(subject, &quarters) {
            let (day, row) = day?;
            as_of.insert(day, row.as_of);
            let Range { start, end } = Quarter::all_of_day(day);
            let from = sums.partition_point(|sum| sum.quarters.end <= start);
            for sum in sums[from..].iter_mut().take_while(|sum| sum.quarters.start < end) {
                row.add_within(&sum.quarters, &mut sum.added)?;
            }
        }
        for overlay in memory.overlays().filter(|overlay| overlay.uses.contains_key(subject)) {
            let last = overlay.last().block;
            let is_in_row = |day| as_of.get(&day).is_some_and(|as_of| *as_of >= last);
            sums.iter_mut().try_for_each(|sum| sum.add(overlay, subject, is_in_row))?;
        }
        sums.into_iter().map(Sum::total).collect()
    }
}

impl Sum {
    fn of(span: &Span) -> Self {
        let quarters = Quarter::all_of(span);
        Self { quarters, added: Table::default(), taken: Table::default() }
    }

    fn add(
        &mut self,
        overlay: &Overlay,
        subject: &SubjectId,
        is_in_row: impl Fn(Day) -> bool,
    ) -> Result<(), StoreError> {
        for (quarter, used) in overlay.uses(subject, &self.quarters) {
            if !is_in_row(quarter.day()) {
                self.added.add_all(&used.added)?;
                used.taken.iter().try_for_each(|used| self.taken.add_all(used))?;
            }
        }
        Ok(())
    }

    fn total(mut self) -> Result<Table, StoreError> {
        self.added.take_all(&self.taken)?;
        Ok(self.added)
    }
}
