//! Windows that have no tally yet: they are added up from finer sums, once, and kept from then on.

use std::sync::Arc;

use tollgate_domain::{
    Amount, Calendar, Quota, SlidingSeconds, Span, SubjectId, Timestamp, Window,
};

use super::{Level, NotReady, Root};
use crate::account::Tally;
use crate::sliding::{SlidingTally, part_micros};
use crate::store::{Store, StoreError};

const MINUTE_MICROS: i64 = 60_000_000;
const QUARTER_MICROS: i64 = 15 * MINUTE_MICROS;

impl Root {
    /// Makes sure that a window is added up.
    pub(super) fn add_up<S: Store>(
        &mut self,
        store: &S,
        subject: &SubjectId,
        window: Window,
        calendar: &Calendar,
        now: Timestamp,
    ) -> Result<(), NotReady> {
        let Some(level) = self.levels.get_mut(subject) else { return Ok(()) };
        if level.account.tally(window, now).is_some() {
            return Ok(());
        }
        let span = window.span(now, calendar);
        let table = match window {
            Window::Minute => level.account.recent_minute(&span),
            _ if level.version == 0 => Default::default(),
            // The store knows only what is on disk.
            _ if level.under_way > 0 => return Err(NotReady::Wait),
            _ => store.used(subject, &span)?,
        };
        Arc::make_mut(&mut level.account).keep(Tally { window, span, table }, now);
        Ok(())
    }

    /// Makes sure that what a quota counts is added up over a sliding window. Where it is not
    /// known when something was used, it counts as if at the latest instant that it can have been.
    pub(super) fn add_up_sliding<S: Store>(
        &mut self,
        store: &S,
        subject: &SubjectId,
        quota: &Quota,
        seconds: SlidingSeconds,
        now: Timestamp,
    ) -> Result<(), NotReady> {
        let Some(level) = self.levels.get_mut(subject) else { return Ok(()) };
        let holds = self.holds.values().map(|hold| &**hold);
        level
            .reserved
            .refine(holds.filter(|hold| hold.call.subject.levels().any(|l| l == *subject)));
        if level.account.sliding(quota, seconds).is_some() {
            return Ok(());
        }
        let used = match level.version {
            0 => vec![],
            _ => level.used_lately(store, subject, quota, seconds, now)?,
        };
        let tally = SlidingTally::new(quota, seconds, level.version, used, now);
        let tally = tally.map_err(|overflow| StoreError(overflow.to_string()))?;
        Arc::make_mut(&mut level.account).keep_sliding(tally);
        Ok(())
    }
}

impl Level {
    /// What a quota counts of the seconds that end now, each part with the latest instant at
    /// which it can have been used: from the account's minutes as far as they reach, and from the
    /// store's quarter-hours before them.
    fn used_lately<S: Store>(
        &self,
        store: &S,
        subject: &SubjectId,
        quota: &Quota,
        seconds: SlidingSeconds,
        now: Timestamp,
    ) -> Result<Vec<(Timestamp, Amount)>, NotReady> {
        let (minutes_from, minutes) = self.account.recent_minutes(now);
        let minutes: Vec<_> =
            minutes.map(|(start, table)| (start.micros(), table.read(quota))).collect();
        let latest_use = now.max(self.account.latest_use()).micros();
        let mut used: Vec<_> = minutes
            .iter()
            .map(|(start, amount)| (latest_use.min(start + MINUTE_MICROS - 1), *amount))
            .collect();

        let (from, minutes_from) = (now.minus(seconds.duration()).micros(), minutes_from.micros());
        let end = (minutes_from + QUARTER_MICROS - 1).div_euclid(QUARTER_MICROS) * QUARTER_MICROS;
        let mut start = from.div_euclid(QUARTER_MICROS) * QUARTER_MICROS;
        if from + 1 < minutes_from && self.under_way > 0 {
            // The store knows only what is on disk.
            return Err(NotReady::Wait);
        }
        while from + 1 < minutes_from && start < end {
            let next = end.min(start + part_micros(seconds));
            let [first, last] = [start, next].map(Timestamp::from_micros);
            let all = store.used(subject, &Span { start: first, end: Some(last) })?.read(quota);
            let counted = minutes.iter().filter(|(minute, _)| (start..next).contains(minute));
            let rest = counted.fold(all, |rest, (_, amount)| rest.minus_or_zero(*amount));
            used.push((next.min(minutes_from) - 1, rest));
            start = next;
        }
        Ok(used.into_iter().map(|(at, amount)| (Timestamp::from_micros(at), amount)).collect())
    }
}
