//! Calendars: where days, months, years and billing periods begin.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{
    DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone,
    Utc,
};
use chrono_tz::Tz;
use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::schema;
use crate::timestamp::Timestamp;

/// Where the days of a subject begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    pub timezone: Tz,
    /// The day of the month on which months begin, 1 to 31; a month too short for it begins on
    /// its last day.
    pub anchor_day: u8,
}

impl Default for Calendar {
    fn default() -> Self {
        Self { timezone: Tz::UTC, anchor_day: 1 }
    }
}

/// One window of time: `start` is in it, `end` is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    pub start: Timestamp,
    /// `None` for a lifetime.
    pub end: Option<Timestamp>,
}

impl Span {
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && self.end.is_none_or(|end| at < end)
    }
}

/// A billing period, named by the year and month in which it begins: `2025-01`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeriodId(CompactString);

/// No year is longer.
const YEAR_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

impl Calendar {
    /// The local time at `at`.
    pub fn local(&self, at: Timestamp) -> DateTime<Tz> {
        at.to_utc().with_timezone(&self.timezone)
    }

    /// The billing period that contains `at`.
    pub fn period(&self, at: Timestamp) -> PeriodId {
        let (start, _) = self.month(self.date(at));
        PeriodId::new(start.year(), start.month())
    }

    /// The billing period of that name; `None` for a month that no calendar has.
    pub fn period_span(&self, period: &PeriodId) -> Option<Span> {
        let (year, month) = period.year_month()?;
        let first = NaiveDate::from_ymd_opt(year, month, 1)?;
        let start = self.anchor_in(first);
        let next = self.anchor_in(first.checked_add_months(Months::new(1))?);
        Some(Span { start: self.midnight(start), end: Some(self.midnight(next)) })
    }

    /// The same local day in this and later years, as far as such days lie around a span; the
    /// 29th of February falls to the 28th in other years.
    pub fn anniversaries(
        &self,
        since: Timestamp,
        start: Timestamp,
        end: Timestamp,
    ) -> impl Iterator<Item = Timestamp> {
        let first = self.date(since);
        let years = self.date(start).year()..=self.date(end).year();
        let days = years.filter_map(move |year| {
            let same = first.with_year(year).or_else(|| first.pred_opt()?.with_year(year));
            same.filter(|day| *day >= first)
        });
        days.map(|day| self.midnight(day))
    }

    /// The year from one [anniversary](Self::anniversaries) to the next that contains an instant;
    /// `None` for what lies before the first.
    pub fn year(&self, since: Timestamp, at: Timestamp) -> Option<Span> {
        let (before, after) = (at.minus(YEAR_MAX), at.plus(YEAR_MAX));
        let mut start = None;
        for day in self.anniversaries(since, before, after) {
            match day <= at {
                true => start = Some(day),
                false => return start.map(|start| Span { start, end: Some(day) }),
            }
        }
        None
    }

    pub(crate) fn date(&self, at: Timestamp) -> NaiveDate {
        self.local(at).date_naive()
    }

    /// The anchored month that contains `today`: its first day and the next month's.
    pub(crate) fn month(&self, today: NaiveDate) -> (NaiveDate, NaiveDate) {
        let this = self.anchor_in(today);
        let (start, next) = if today < this {
            (today.checked_sub_months(Months::new(1)).map(|day| self.anchor_in(day)), Some(this))
        } else {
            // From the first, so that no long month is skipped from its 31st.
            let first = today.with_day(1).unwrap_or(today);
            (Some(this), first.checked_add_months(Months::new(1)).map(|day| self.anchor_in(day)))
        };
        (start.unwrap_or(NaiveDate::MIN), next.unwrap_or(NaiveDate::MAX))
    }

    /// The anchor day in the calendar month of `day`.
    fn anchor_in(&self, day: NaiveDate) -> NaiveDate {
        (1..=u32::from(self.anchor_day))
            .rev()
            .find_map(|anchor| day.with_day(anchor))
            .unwrap_or(day)
    }

    /// When a local day begins. Where daylight saving skips midnight, the day begins at the
    /// first instant that exists; where midnight comes twice, at the first.
    pub(crate) fn midnight(&self, day: NaiveDate) -> Timestamp {
        self.instants(day.and_time(NaiveTime::MIN))[0]
    }

    /// The next instant at which local clocks show a time, or go past it.
    pub(crate) fn next_at(&self, time: NaiveTime, after: Timestamp) -> Timestamp {
        let today = self.date(after);
        let days = std::iter::successors(Some(today), NaiveDate::succ_opt).take(3);
        let mut instants = days.flat_map(|day| self.instants(day.and_time(time)));
        instants.find(|at| *at > after).unwrap_or(after)
    }

    /// The first and the last instant of a local time, which are two where daylight saving lets
    /// it come twice; the first instant after it where it skips it.
    fn instants(&self, local: NaiveDateTime) -> [Timestamp; 2] {
        let mut later = local;
        for _ in 0..=24 * 60 {
            let found = self.timezone.from_local_datetime(&later);
            if let (Some(first), Some(last)) = (found.earliest(), found.latest()) {
                return [first, last].map(|time| time.with_timezone(&Utc).into());
            }
            later += TimeDelta::minutes(1);
        }
        [local.and_utc().into(); 2]
    }

    /// The span of `seconds` on the local clock face that contains `at`.
    pub(crate) fn clock_span(&self, at: Timestamp, seconds: i64) -> Span {
        let offset = i64::from(self.local(at).offset().fix().local_minus_utc());
        let local = at.micros().div_euclid(1_000_000) + offset;
        let start = local.div_euclid(seconds) * seconds - offset;
        let at_second = |second: i64| Timestamp::from_micros(second * 1_000_000);
        Span { start: at_second(start), end: Some(at_second(start + seconds)) }
    }
}

impl PeriodId {
    /// No other sorts before it.
    pub const FIRST: Self = Self(CompactString::const_new(""));

    fn new(year: i32, month: u32) -> Self {
        Self(compact_str::format_compact!("{year:04}-{month:02}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn year_month(&self) -> Option<(i32, u32)> {
        let (year, month) = self.0.split_once('-')?;
        Some((year.parse().ok()?, month.parse().ok()?))
    }
}

impl fmt::Display for PeriodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Not the name of a billing period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a billing period such as \"2025-01\"")]
pub struct PeriodError;

impl FromStr for PeriodId {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let shape = |i: usize, b: u8| if i == 4 { b == b'-' } else { b.is_ascii_digit() };
        if text.len() != 7 || !text.bytes().enumerate().all(|(i, b)| shape(i, b)) {
            return Err(PeriodError);
        }
        let period = Self(text.into());
        match period.year_month() {
            Some((_, 1..=12)) => Ok(period),
            _ => Err(PeriodError),
        }
    }
}

schema::described! {
    PeriodId as "BillingPeriod";
    schema::text(
        "A billing period, by the year and month in which it begins.",
        "^[0-9]{4}-(0[1-9]|1[0-2])$",
        "2025-01",
    )
    .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Window;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_anniversary_on_the_29th_of_february_falls_to_the_28th() {
        let calendar = Calendar::default();
        let of = |start, end| -> Vec<String> {
            let since = at("2024-02-29T15:00:00Z");
            calendar.anniversaries(since, at(start), at(end)).map(|day| day.to_string()).collect()
        };
        assert_eq!(of("2025-02-01T00:00:00Z", "2025-03-01T00:00:00Z"), ["2025-02-28T00:00:00Z"]);
        assert_eq!(of("2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"), ["2028-02-29T00:00:00Z"]);
        assert!(of("2023-02-01T00:00:00Z", "2023-03-01T00:00:00Z").is_empty(), "before the first");
    }

    #[test]
    fn a_year_runs_from_one_anniversary_to_the_next() {
        let calendar = Calendar::default();
        let year = |since: &str, now: &str| {
            let Span { start, end } = calendar.year(at(since), at(now))?;
            Some((start.to_string(), end.unwrap().to_string()))
        };
        let years = |start: &str, end: &str| Some((start.to_owned(), end.to_owned()));
        let (since, leap) = ("2025-08-10T12:00:00Z", "2024-02-29T15:00:00Z");
        for (since, now, expected) in [
            (since, since, years("2025-08-10T00:00:00Z", "2026-08-10T00:00:00Z")),
            (since, "2026-08-09T23:59:59Z", years("2025-08-10T00:00:00Z", "2026-08-10T00:00:00Z")),
            (since, "2027-08-10T00:00:00Z", years("2027-08-10T00:00:00Z", "2028-08-10T00:00:00Z")),
            (leap, "2025-02-27T00:00:00Z", years("2024-02-29T00:00:00Z", "2025-02-28T00:00:00Z")),
            (leap, "2028-02-28T00:00:00Z", years("2027-02-28T00:00:00Z", "2028-02-29T00:00:00Z")),
            (since, "2025-08-09T00:00:00Z", None),
        ] {
            assert_eq!(year(since, now), expected, "{since} {now}");
        }
    }

    #[test]
    fn a_period_is_named_by_the_month_it_begins_in_and_found_by_that_name() {
        for anchor_day in [1, 15, 31] {
            let calendar = Calendar { timezone: chrono_tz::Europe::Berlin, anchor_day };
            for now in ["2025-01-01T00:00:00Z", "2025-02-28T22:59:00Z", "2024-12-31T23:30:00Z"] {
                let period = calendar.period(at(now));
                let span = calendar.period_span(&period).unwrap();
                assert_eq!(span, Window::Month.span(at(now), &calendar), "{period}");
            }
        }
        for wrong in ["2025-13", "2025-1", "25-01", "2025/01", ""] {
            assert_eq!(wrong.parse::<PeriodId>(), Err(PeriodError), "{wrong:?}");
        }
    }
}
