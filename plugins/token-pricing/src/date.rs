//! The day from which a price holds.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

const DAY_MS: u64 = 86_400_000;

/// A day of the calendar since 1970, in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// Its first instant, in milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) fn starts_at(self) -> u64 {
        let years: u64 = (1970..self.year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
        let months: u64 = (1..self.month).map(|month| u64::from(days_in(self.year, month))).sum();
        (years + months + u64::from(self.day) - 1) * DAY_MS
    }

    fn parse(text: &str) -> Option<Self> {
        let fields =
            |range| text.get(range).filter(|it: &&str| it.bytes().all(|b| b.is_ascii_digit()));
        let year = fields(0..4)?.parse().ok()?;
        let month = fields(5..7)?.parse().ok()?;
        let day = fields(8..10)?.parse().ok()?;
        let dashes = text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
        let exists =
            year >= 1970 && (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
        (text.len() == 10 && dashes && exists).then_some(Self { year, month, day })
    }
}

fn days_in(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let message = || de::Error::custom(format!("`{text}` is not a day such as 2025-01-31"));
        Self::parse(&text).ok_or_else(message)
    }
}
