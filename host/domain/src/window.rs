//! Windows of time that quotas count in.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// A length of time that begins anew by the calendar, or goes along with the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    Minute,
    Hour,
    Day,
    /// From Monday.
    Week,
    /// From the first, or from the subscription's anchor day.
    Month,
    /// From the beginning of time, for ever.
    Lifetime,
    /// The seconds that end now.
    Sliding(SlidingSeconds),
}

/// How long a sliding window is: what is used at an instant counts for so many seconds from
/// then. 1 to 2,678,400, which are 31 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SlidingSeconds(u32);

/// Not the name of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a window: minute, hour, day, week, month, lifetime, or sliding:SECONDS with 1 to \
     2678400 seconds"
)]
pub struct WindowError;

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

/// No year is longer.
const YEAR_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// A billing period, named by the year and month in which it begins: `2025-01`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeriodId(CompactString);

impl Window {
    const NAMES: [(Self, &str); 6] = [
        (Self::Minute, "minute"),
        (Self::Hour, "hour"),
        (Self::Day, "day"),
        (Self::Week, "week"),
        (Self::Month, "month"),
        (Self::Lifetime, "lifetime"),
    ];

    const SLIDING: &str = "sliding:";

    /// The window of this length that contains `at`; of sliding ones, that which ends with it.
    pub fn span(self, at: Timestamp, calendar: &Calendar) -> Span {
        let first_of_next = |start: NaiveDate, next: Option<NaiveDate>| Span {
            start: calendar.midnight(start),
            end: next.map(|next| calendar.midnight(next)),
        };
        let today = calendar.date(at);
        match self {
            Self::Minute => calendar.clock_span(at, 60),
            Self::Hour => calendar.clock_span(at, 3600),
            Self::Day => first_of_next(today, today.succ_opt()),
            Self::Week => {
                let monday = today.week(chrono::Weekday::Mon).first_day();
                first_of_next(monday, monday.checked_add_days(Days::new(7)))
            }
            Self::Month => {
                let (start, next) = calendar.month(today);
                first_of_next(start, Some(next))
            }
            Self::Lifetime => Span { start: Timestamp::from_micros(i64::MIN), end: None },
            Self::Sliding(seconds) => seconds.span(at),
        }
    }
}

impl SlidingSeconds {
    const MAX: u32 = 2_678_400;

    /// `None` for no time at all, and for more than 31 days.
    pub fn new(seconds: u32) -> Option<Self> {
        (1..=Self::MAX).contains(&seconds).then_some(Self(seconds))
    }

    pub fn get(self) -> u32 {
        self.0
    }

    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }

    /// The window that ends with `at`.
    pub fn span(self, at: Timestamp) -> Span {
        let next = at.plus(Duration::from_micros(1));
        Span { start: next.minus(self.duration()), end: Some(next) }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Sliding(seconds) = self {
            return write!(f, "{}{}", Self::SLIDING, seconds.get());
        }
        let name = Self::NAMES.iter().find(|(window, _)| window == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        if let Some(seconds) = text.strip_prefix(Self::SLIDING) {
            return sliding(seconds).map(Self::Sliding).ok_or(WindowError);
        }
        let known = Self::NAMES.iter().find(|(_, name)| *name == text);
        known.map(|(window, _)| *window).ok_or(WindowError)
    }
}

/// Reads plain digits as they are printed: without a sign, and without a zero before them.
fn sliding(digits: &str) -> Option<SlidingSeconds> {
    let plain = digits.bytes().all(|digit| digit.is_ascii_digit()) && !digits.starts_with('0');
    let seconds = digits.parse().ok().filter(|_| plain)?;
    SlidingSeconds::new(seconds)
}

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

    fn date(&self, at: Timestamp) -> NaiveDate {
        self.local(at).date_naive()
    }

    /// The anchored month that contains `today`: its first day and the next month's.
    fn month(&self, today: NaiveDate) -> (NaiveDate, NaiveDate) {
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
    fn midnight(&self, day: NaiveDate) -> Timestamp {
        let mut local = day.and_time(chrono::NaiveTime::MIN);
        for _ in 0..=24 {
            if let Some(time) = self.timezone.from_local_datetime(&local).earliest() {
                return time.with_timezone(&Utc).into();
            }
            local += TimeDelta::minutes(15);
        }
        day.and_time(chrono::NaiveTime::MIN).and_utc().into()
    }

    /// The span of `seconds` on the local clock face that contains `at`.
    fn clock_span(&self, at: Timestamp, seconds: i64) -> Span {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn check(window: Window, zone: &str, anchor_day: u8, now: &str, start: &str, end: &str) {
        let calendar = Calendar { timezone: zone.parse().unwrap(), anchor_day };
        let span = window.span(at(now), &calendar);
        let got = (span.start.to_string(), span.end.unwrap().to_string());
        assert_eq!(got, (start.to_owned(), end.to_owned()), "{window} in {zone} at {now}");
        assert!(span.contains(at(now)));
    }

    #[test]
    fn windows_begin_in_the_subjects_own_time_zone() {
        let now = "2025-01-01T03:10:20Z";
        check(Window::Minute, "UTC", 1, now, "2025-01-01T03:10:00Z", "2025-01-01T03:11:00Z");
        check(Window::Hour, "Asia/Kolkata", 1, now, "2025-01-01T02:30:00Z", "2025-01-01T03:30:00Z");
        check(
            Window::Day,
            "America/New_York",
            1,
            now,
            "2024-12-31T05:00:00Z",
            "2025-01-01T05:00:00Z",
        );
        check(Window::Week, "UTC", 1, now, "2024-12-30T00:00:00Z", "2025-01-06T00:00:00Z");
        check(
            Window::Month,
            "America/New_York",
            1,
            now,
            "2024-12-01T05:00:00Z",
            "2025-01-01T05:00:00Z",
        );
        assert_eq!(Window::Lifetime.span(at(now), &Calendar::default()).end, None);
    }

    #[test]
    fn every_window_is_read_as_it_is_printed() {
        for name in
            ["minute", "hour", "day", "week", "month", "lifetime", "sliding:1", "sliding:2678400"]
        {
            let window: Window = name.parse().unwrap();
            assert_eq!(window.to_string(), name);
        }
        for wrong in [
            "",
            "Month",
            "sliding",
            "sliding:",
            "sliding:0",
            "sliding:x",
            "sliding:+1",
            "sliding:-1",
            "sliding:01",
            "sliding:1.5",
            "sliding: 1",
            "sliding:2678401",
            "sliding:4294967297",
            "sliding:60s",
        ] {
            assert_eq!(wrong.parse::<Window>(), Err(WindowError), "{wrong:?}");
        }
    }

    #[test]
    fn a_use_is_in_a_sliding_window_from_its_instant_on_for_so_many_seconds() {
        let used = at("2025-03-30T00:59:59.25Z");
        let calendar = Calendar { timezone: chrono_tz::Europe::Berlin, anchor_day: 31 };
        for (now, counts) in [
            ("2025-03-30T00:59:59.249999Z", false),
            ("2025-03-30T00:59:59.25Z", true),
            ("2025-03-30T01:00:59.249999Z", true),
            ("2025-03-30T01:00:59.25Z", false),
        ] {
            let window: Window = "sliding:60".parse().unwrap();
            let span = window.span(at(now), &calendar);
            assert_eq!(span.contains(used), counts, "at {now}");
            assert_eq!(span.end.unwrap().since(span.start), Duration::from_secs(60));
        }
    }

    #[test]
    fn an_anchor_on_the_31st_falls_to_the_last_day_of_a_short_month() {
        let month = Window::Month;
        check(
            month,
            "UTC",
            31,
            "2025-02-15T00:00:00Z",
            "2025-01-31T00:00:00Z",
            "2025-02-28T00:00:00Z",
        );
        check(
            month,
            "UTC",
            31,
            "2025-03-30T23:59:59Z",
            "2025-02-28T00:00:00Z",
            "2025-03-31T00:00:00Z",
        );
        check(
            month,
            "UTC",
            31,
            "2024-02-29T00:00:00Z",
            "2024-02-29T00:00:00Z",
            "2024-03-31T00:00:00Z",
        );
        check(
            month,
            "UTC",
            30,
            "2025-01-31T12:00:00Z",
            "2025-01-30T00:00:00Z",
            "2025-02-28T00:00:00Z",
        );
    }

    #[test]
    fn days_of_daylight_saving_are_23_and_25_hours_long() {
        let day = Window::Day;
        check(
            day,
            "Europe/Berlin",
            1,
            "2025-03-30T12:00:00Z",
            "2025-03-29T23:00:00Z",
            "2025-03-30T22:00:00Z",
        );
        check(
            day,
            "Europe/Berlin",
            1,
            "2025-10-26T12:00:00Z",
            "2025-10-25T22:00:00Z",
            "2025-10-26T23:00:00Z",
        );
        // In Santiago, daylight saving begins at midnight: the day begins at 01:00.
        check(
            day,
            "America/Santiago",
            1,
            "2025-09-07T12:00:00Z",
            "2025-09-07T04:00:00Z",
            "2025-09-08T03:00:00Z",
        );
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
