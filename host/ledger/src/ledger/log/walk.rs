//! Back through a level's log, past what a page does not show: whole days, and quarters of an hour,
//! by what their sums say of them, and the rest line by line.

use std::vec;

use tollgate_domain::{Span, SubjectId, Timestamp};

use super::LogFilter;
use crate::store::{Logged, Rank, Store, StoreError};

/// Lines that are looked at in one go: no more at first than most pages need, and then so many that
/// a long quarter of an hour takes few goes.
const LINES_MIN: usize = 64;
const LINES_MAX: usize = 4096;

const QUARTER_MICROS: i64 = 15 * 60 * 1_000_000;

/// What is passed over at once, where nothing is wanted of it: days (UTC), and quarters of an hour.
const STRIDES_MICROS: [i64; 2] = [96 * QUARTER_MICROS, QUARTER_MICROS];

pub struct Walk<'a, S> {
    store: &'a S,
    subject: &'a SubjectId,
    which: &'a LogFilter,
    /// How many events that are asked for are still to be passed over.
    pub to_pass: u64,
    before: Option<Rank>,
    lines: vec::IntoIter<Logged>,
    lines_next: usize,
}

impl<'a, S: Store> Walk<'a, S> {
    pub fn new(
        store: &'a S,
        subject: &'a SubjectId,
        which: &'a LogFilter,
        to_pass: u64,
        limit: usize,
    ) -> Self {
        let lines_next = limit.saturating_add(1).clamp(LINES_MIN, LINES_MAX);
        let (before, lines) = (None, vec![].into_iter());
        Self { store, subject, which, to_pass, before, lines, lines_next }
    }

    /// The next line, perhaps of an event that is not asked for.
    pub fn next(&mut self) -> Result<Option<Logged>, StoreError> {
        loop {
            if let Some(line) = self.lines.next() {
                return Ok(Some(line));
            }
            if self.passes_over_some() {
                let Some(next) = self.store.logged(self.subject, self.before, 1)?.pop() else {
                    return Ok(None);
                };
                if self.pass(&next)? {
                    continue;
                }
            }
            self.look()?;
            if self.lines.len() == 0 {
                return Ok(None);
            }
        }
    }

    /// Whether there may be something that need not be looked at.
    fn passes_over_some(&self) -> bool {
        self.to_pass > 0 || self.which.provider.is_some() || self.which.failed.is_some()
    }

    /// Passes over the day or the quarter of an hour that a line lies in, if nothing is wanted of
    /// it; tells whether it did.
    fn pass(&mut self, line: &Logged) -> Result<bool, StoreError> {
        let Some(at) = line.rank.time() else { return Ok(false) };
        for span in STRIDES_MICROS.map(|stride| span_of(at, stride)) {
            let end = span.end.map(Rank::first_at);
            if self.before.is_some() && self.before < end {
                // Some of it is behind us already.
                continue;
            }
            let count = self.which.count(self.store.used(self.subject, &span)?.cells());
            if count == 0 || count <= self.to_pass {
                self.to_pass -= count;
                self.before = Some(Rank::first_at(span.start));
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes the next lines, no further than to the beginning of a quarter of an hour where what
    /// lies behind it may be passed over.
    fn look(&mut self) -> Result<(), StoreError> {
        let mut lines = self.store.logged(self.subject, self.before, self.lines_next)?;
        if self.passes_over_some()
            && let Some(at) = lines.first().and_then(|line| line.rank.time())
        {
            let start = Rank::first_at(span_of(at, QUARTER_MICROS).start);
            lines.retain(|line| line.rank >= start);
        }
        self.before = lines.last().map(|line| line.rank).or(self.before);
        self.lines = lines.into_iter();
        self.lines_next = LINES_MAX;
        Ok(())
    }
}

fn span_of(at: Timestamp, stride_micros: i64) -> Span {
    let start = at.micros().div_euclid(stride_micros).saturating_mul(stride_micros);
    let end = Timestamp::from_micros(start.saturating_add(stride_micros));
    Span { start: Timestamp::from_micros(start), end: Some(end) }
}
