//! Windows of time that quotas count in.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::calendar::{Calendar, Span};
use crate::schema;
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

schema::described! {
    Window as "Window";
    schema::text(
        "In which time a quota counts: by the calendar, for ever, or in the seconds that end now \
         (1 to 2678400).",
        "^(minute|hour|day|week|month|lifetime|sliding:[1-9][0-9]{0,6})$",
        "month",
    )
    .build()
}

/// Reads plain digits as they are printed: without a sign, and without a zero before them.
fn sliding(digits: &str) -> Option<SlidingSeconds> {
    let plain = digits.bytes().all(|digit| digit.is_ascii_digit()) && !digits.starts_with('0');
    let seconds = digits.parse().ok().filter(|_| plain)?;
    SlidingSeconds::new(seconds)
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
}
