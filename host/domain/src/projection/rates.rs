//! How much is expected of a day, and how sure that is.

use chrono::Datelike;
use rust_decimal::Decimal;

use super::{DayUse, Method, Past, in_days, sum};
use crate::amount::Amount;
use crate::calendar::Calendar;
use crate::timestamp::Timestamp;

/// From so many days of history on, of which half were used, weekdays are told apart.
const PATTERN_DAYS: usize = 28;

/// Days before the period say what to expect if there are so many of them at least.
const PRIOR_DAYS: usize = 7;

/// What was to be expected counts as much as so many days of what came.
const DAMPING_DAYS: Decimal = Decimal::from_parts(3, 0, 0, false, 0);

/// From so many days on, their differences say how sure the projection is.
const SPREAD_DAYS: usize = 4;

/// So many standard deviations around what is expected had four of five months within them when
/// this was tried (`examples/backtest.rs`): a few more than chance alone would ask for, since use
/// grows, too.
const FOUR_IN_FIVE: Decimal = Decimal::from_parts(16, 0, 0, false, 1);

/// How much is expected of a day.
pub enum Rates {
    Even {
        rate: Decimal,
        is_damped: bool,
    },
    /// From Monday on.
    Weekdays([Decimal; 7]),
}

impl Rates {
    /// From the past, and the days of it that are known.
    pub fn of(past: &Past<'_>, known: &[DayUse]) -> Self {
        let used_days = known.iter().filter(|day| day.used != Amount::ZERO).count();
        if known.len() >= PATTERN_DAYS
            && used_days * 2 >= known.len()
            && let Some(weekdays) = weekdays(past.calendar, known)
        {
            return Self::Weekdays(weekdays);
        }
        let (used, elapsed) =
            (past.used.to_decimal_rounded(), in_days(past.period.start, past.now));
        let before: Vec<_> = known.iter().filter(|day| day.start < past.period.start).collect();
        let prior = if before.len() >= PRIOR_DAYS {
            mean(before.iter().map(|day| day.used.to_decimal_rounded()))
        } else {
            None
        };
        let rate = match prior {
            Some(prior) => used
                .saturating_add(prior.saturating_mul(DAMPING_DAYS))
                .checked_div(elapsed.saturating_add(DAMPING_DAYS)),
            None => used.checked_div(elapsed.max(Decimal::ONE)),
        };
        Self::Even { rate: rate.unwrap_or_default(), is_damped: prior.is_some() }
    }

    pub fn method(&self) -> Method {
        match self {
            Self::Even { is_damped: false, .. } => Method::RunRate,
            Self::Even { is_damped: true, .. } => Method::DampedRunRate,
            Self::Weekdays(_) => Method::WeekdayPattern,
        }
    }

    /// What a whole day is expected to use.
    pub fn on(&self, calendar: &Calendar, day: Timestamp) -> Decimal {
        match self {
            Self::Even { rate, .. } => *rate,
            Self::Weekdays(rates) => rates[weekday(calendar, day)],
        }
    }

    /// By how much the sum over the days that are left may differ, in four cases of five: each day
    /// differs as the days before did, and so may the mean that was made of those. `None` where
    /// there were too few.
    pub fn margin(
        &self,
        calendar: &Calendar,
        known: &[DayUse],
        days_left: Decimal,
    ) -> Option<Decimal> {
        let lately = &known[known.len().saturating_sub(PATTERN_DAYS)..];
        if lately.len() < SPREAD_DAYS {
            return None;
        }
        let count = Decimal::from(lately.len());
        let center = |day: &DayUse, mean| match self {
            Self::Even { .. } => mean,
            Self::Weekdays(_) => self.on(calendar, day.start),
        };
        let mean = mean(lately.iter().map(|day| day.used.to_decimal_rounded()))?;
        let mut squares = Decimal::ZERO;
        for day in lately {
            let apart = day.used.to_decimal_rounded().checked_sub(center(day, mean))?;
            squares = squares.checked_add(apart.checked_mul(apart)?)?;
        }
        let variance = squares.checked_div(count - Decimal::ONE)?;
        let days = days_left.checked_add(days_left.checked_mul(days_left)?.checked_div(count)?)?;
        square_root(variance.checked_mul(days)?)?.checked_mul(FOUR_IN_FIVE)
    }
}

/// The mean of each weekday, brought half-way to the level of the last week.
fn weekdays(calendar: &Calendar, known: &[DayUse]) -> Option<[Decimal; 7]> {
    let mut sums = [(Decimal::ZERO, 0_u32); 7];
    for day in known {
        let (sum, count) = &mut sums[weekday(calendar, day.start)];
        *sum = sum.checked_add(day.used.to_decimal_rounded())?;
        *count += 1;
    }
    let mut means = [Decimal::ZERO; 7];
    for (mean, (sum, count)) in means.iter_mut().zip(sums) {
        *mean = sum.checked_div(Decimal::from(count))?;
    }
    let week = sum(means.iter().copied());
    let last = sum(known[known.len() - 7..].iter().map(|day| day.used.to_decimal_rounded()));
    let level = last.checked_add(week)?.checked_div(week.checked_add(week)?)?;
    for mean in &mut means {
        *mean = mean.checked_mul(level)?;
    }
    Some(means)
}

fn weekday(calendar: &Calendar, at: Timestamp) -> usize {
    calendar.local(at).weekday().num_days_from_monday() as usize
}

fn mean(amounts: impl ExactSizeIterator<Item = Decimal>) -> Option<Decimal> {
    let count = Decimal::from(amounts.len());
    sum(amounts).checked_div(count)
}

/// To eighteen digits; `None` for less than nothing.
fn square_root(number: Decimal) -> Option<Decimal> {
    let (mut digits, mut scale) = (u128::try_from(number.mantissa()).ok()?, number.scale());
    // A root has half as many decimals, and as many digits as it is given twice.
    (digits, scale) = (digits * 10_u128.pow(scale % 2), scale + scale % 2);
    while digits < 10_u128.pow(36) && scale < 54 {
        (digits, scale) = (digits * 100, scale + 2);
    }
    let root = i128::try_from(digits.isqrt()).ok()?;
    Decimal::try_from_i128_with_scale(root, scale / 2).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_right_to_many_digits() {
        let largest = "79228162514264337593543950335";
        for (square, root) in [
            ("0", "0"),
            ("2.25", "1.5"),
            ("144", "12"),
            ("2", "1.414213562373"),
            ("0.000004", "0.002"),
            (largest, "281474976710655.9999"),
        ] {
            let found = square_root(square.parse().unwrap()).unwrap();
            let root: Decimal = root.parse().unwrap();
            assert!((found - root).abs() < Decimal::new(1, 4), "{square}: {found}");
        }
        assert_eq!(square_root(Decimal::from(-1)), None);
    }
}
