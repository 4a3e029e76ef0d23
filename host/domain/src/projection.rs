//! What a billing period will have come to when it ends, as far as anybody can say.
//!
//! Estimates, for people: in decimals of 28 digits, and rounded where that is not enough. Nothing
//! is billed or refused by them.

mod rates;

use rust_decimal::Decimal;

use self::rates::Rates;
use crate::amount::Amount;
use crate::calendar::{Calendar, Span};
use crate::timestamp::Timestamp;
use crate::window::Window;

const DAY_SECONDS: u64 = 24 * 3600;

/// What was used on a day that is over.
#[derive(Clone, Copy, Debug)]
pub struct DayUse {
    pub start: Timestamp,
    pub used: Amount,
}

/// What a projection is made from.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    /// The period, which contains `now`.
    pub period: Span,
    pub now: Timestamp,
    pub calendar: &'a Calendar,
    /// In the period so far.
    pub used: Amount,
    /// The days that are over, the oldest first and without a gap, in this period and before it.
    pub days: &'a [DayUse],
}

/// How a projection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// What is left of the period goes on as what has passed of it; as if at least a day had.
    RunRate,
    /// The same, and the days before the period count as three more days of it: early on they say
    /// more than it does.
    DampedRunRate,
    /// Each weekday goes on as it was in the last weeks, and all of them half-way to how the last
    /// week went.
    WeekdayPattern,
}

/// What a period is expected to come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    pub method: Method,
    pub total: Decimal,
    /// In four cases of five it ends between these.
    pub low: Decimal,
    pub high: Decimal,
    used: Decimal,
    /// What is still expected, day by day.
    ahead: Vec<(Span, Decimal)>,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunRate => "run_rate",
            Self::DampedRunRate => "damped_run_rate",
            Self::WeekdayPattern => "weekday_pattern",
        }
    }
}

impl Projection {
    pub fn of(past: &Past<'_>) -> Self {
        let Past { now, used, .. } = *past;
        // Before anything was used there is no history.
        let first = past.days.iter().position(|day| day.used != Amount::ZERO);
        let known = &past.days[first.unwrap_or(past.days.len())..];
        let rates = Rates::of(past, known);
        let ahead: Vec<_> = past
            .days_ahead()
            .map(|(day, part)| {
                let rate = rates.on(past.calendar, day.start);
                let ahead = Span { start: day.start.max(now), end: day.end };
                (ahead, rate.saturating_mul(part))
            })
            .collect();
        let used = used.to_decimal_rounded();
        let expected = sum(ahead.iter().map(|(_, amount)| *amount));
        let total = used.saturating_add(expected);
        let days_left = sum(past.days_ahead().map(|(_, part)| part));
        let margin = rates.margin(past.calendar, known, days_left).unwrap_or(expected);
        Self {
            method: rates.method(),
            total,
            low: used.max(total.saturating_sub(margin)),
            high: total.saturating_add(margin),
            used,
            ahead,
        }
    }

    /// When so much is expected to have been used; `None` where not before the period ends.
    pub fn reaches(&self, limit: Amount) -> Option<Timestamp> {
        let (limit, mut used) = (limit.to_decimal_rounded(), self.used);
        for (day, amount) in &self.ahead {
            let missing = limit.saturating_sub(used);
            if missing <= Decimal::ZERO {
                return Some(day.start);
            }
            used = used.saturating_add(*amount);
            if used >= limit {
                let whole = seconds(day.start, day.end.unwrap_or(day.start));
                let passed = missing.saturating_mul(whole).checked_div(*amount)?;
                let micros = passed.saturating_mul(Decimal::from(1_000_000)).trunc();
                let passed = i64::try_from(micros).ok()?;
                return Some(Timestamp::from_micros(day.start.micros().saturating_add(passed)));
            }
        }
        None
    }
}

impl Past<'_> {
    /// The days that are left, the first perhaps begun, each with how much of it is left in days.
    fn days_ahead(&self) -> impl Iterator<Item = (Span, Decimal)> {
        let (mut at, end) = (self.now, self.period.end.unwrap_or(self.now));
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let day = Window::Day.span(at, self.calendar);
            let next = day.end.filter(|next| *next > at)?.min(end);
            let left = in_days(at, next);
            at = next;
            Some((Span { start: day.start, end: Some(next) }, left))
        })
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> Decimal {
    let micros = u64::try_from(to.since(from).as_micros()).unwrap_or(u64::MAX);
    Decimal::from_i128_with_scale(micros.into(), 6)
}

fn in_days(from: Timestamp, to: Timestamp) -> Decimal {
    seconds(from, to).checked_div(Decimal::from(DAY_SECONDS)).unwrap_or_default()
}

fn sum(amounts: impl Iterator<Item = Decimal>) -> Decimal {
    amounts.fold(Decimal::ZERO, Decimal::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MICROS: i64 = DAY_SECONDS as i64 * 1_000_000;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The days that end with that of `now`.
    fn days(now: Timestamp, used: &[u64]) -> Vec<DayUse> {
        let today = now.micros().div_euclid(DAY_MICROS);
        let first = today - used.len() as i64;
        let days = (first..).zip(used);
        let start = |day| Timestamp::from_micros(day * DAY_MICROS);
        days.map(|(day, used)| DayUse { start: start(day), used: Amount::from(*used) }).collect()
    }

    fn project(now: &str, used: &str, days: &[DayUse]) -> Projection {
        let (now, calendar) = (at(now), Calendar::default());
        let period = Window::Month.span(now, &calendar);
        let used = used.parse().unwrap();
        Projection::of(&Past { period, now, calendar: &calendar, used, days })
    }

    fn rounded(amount: Decimal) -> String {
        amount.round_dp(6).normalize().to_string()
    }

    #[test]
    fn without_history_what_is_left_goes_on_as_what_has_passed() {
        // A third of January.
        let projection = project("2025-01-11T08:00:00Z", "15.75", &[]);
        assert_eq!(projection.method, Method::RunRate);
        assert_eq!(rounded(projection.total), "47.25");
        assert_eq!(
            (rounded(projection.low), rounded(projection.high)),
            ("15.75".into(), "78.75".into())
        );
    }

    #[test]
    fn a_first_hour_is_not_taken_for_the_whole_month() {
        let projection = project("2025-01-01T01:00:00Z", "1", &[]);
        // As if the hour had been a day: 1, and the 30 days and 23 hours that are left.
        assert_eq!(rounded(projection.total), "31.958333");
        assert_eq!(rounded(project("2025-01-01T00:00:00Z", "0", &[]).total), "0");
    }

    #[test]
    fn early_on_the_days_before_say_more() {
        let now = "2025-01-02T00:00:00Z";
        let before = days(at(now), &[[10; 10].as_slice(), &[40]].concat());
        let projection = project(now, "40", &before);
        assert_eq!(projection.method, Method::DampedRunRate);
        // One day of 40, and three of 10.
        assert_eq!(rounded(projection.total), "565");
        assert_eq!(rounded(project(now, "40", &[]).total), "1240");
    }

    #[test]
    fn weekdays_are_told_apart_once_there_are_four_weeks() {
        // A Monday; nothing is used on weekends.
        let now = "2025-02-24T00:00:00Z";
        let week = [100, 100, 100, 100, 100, 0, 0];
        let projection = project(now, "1600", &days(at(now), &week.repeat(5)));
        assert_eq!(projection.method, Method::WeekdayPattern);
        // Monday to Friday are left.
        assert_eq!(rounded(projection.total), "2100");
        assert_eq!(projection.low, projection.high, "no day ever differed");
        let short = project(now, "1600", &days(at(now), &week.repeat(3)));
        assert_ne!(short.method, Method::WeekdayPattern);
    }

    #[test]
    fn a_limit_is_reached_on_the_day_that_passes_it() {
        let now = "2025-01-11T00:00:00Z";
        let projection = project(now, "100", &[]);
        let reached = |limit: &str| projection.reaches(limit.parse().unwrap());
        assert_eq!(reached("100"), Some(at(now)), "it is reached");
        assert_eq!(reached("125"), Some(at("2025-01-13T12:00:00Z")));
        assert_eq!(reached("310"), Some(at("2025-02-01T00:00:00Z")));
        assert_eq!(reached("310.000001"), None, "not in this period");
        assert_eq!(project(now, "0", &[]).reaches(Amount::from(1)), None);
    }

    #[test]
    fn the_range_is_as_wide_as_days_differ() {
        let now = "2025-01-21T00:00:00Z";
        let (even, uneven) = ([10; 20], [0, 20].repeat(10));
        let even = project(now, "200", &days(at(now), &even));
        let uneven = project(now, "200", &days(at(now), &uneven));
        assert_eq!((even.total, uneven.total), (Decimal::from(310), Decimal::from(310)));
        assert_eq!((even.low, even.high), (Decimal::from(310), Decimal::from(310)));
        assert!(uneven.low < Decimal::from(290) && uneven.low >= Decimal::from(200));
        assert!(uneven.high > Decimal::from(330) && uneven.high < Decimal::from(400));
    }

    #[test]
    fn what_is_too_large_is_still_projected() {
        let now = "2025-01-21T00:00:00Z";
        let largest = "170141183460469231731.687303715884105727";
        let days = days(at(now), &[u64::MAX; 30]);
        let projection = project(now, largest, &days);
        assert!(projection.low <= projection.total && projection.total <= projection.high);
    }
}
