//! How far projections were off: on months that are made up, and on a recorded trace.
//!
//! `cargo run --release -p tollgate-domain --example backtest -- TRACE.csv`
//!
//! The trace is one of `TIMESTAMP,ContextTokens,GeneratedTokens`, in the order of time. It is short,
//! and so is stretched over three months, of which the last is projected.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for whoever works on projections"
)]

use rust_decimal::Decimal;
use tollgate_domain::{Amount, Calendar, DayUse, Past, Projection, Timestamp, Window};

const DAY_MICROS: i64 = 24 * 3600 * 1_000_000;

/// After how many days of a month it is projected.
const AFTER_DAYS: [usize; 7] = [1, 2, 4, 7, 14, 21, 28];

/// What was used day by day, from a first of January on.
struct History(Vec<u64>);

impl History {
    fn start(&self) -> Timestamp {
        "2024-01-01T00:00:00Z".parse().unwrap()
    }

    fn day(&self, number: usize) -> Timestamp {
        Timestamp::from_micros(self.start().micros() + number as i64 * DAY_MICROS)
    }

    /// The first day of each whole month but the first, and how many days it has.
    fn months(&self) -> Vec<(usize, usize)> {
        let mut months = Vec::new();
        let mut first = 0;
        loop {
            let end = Window::Month.span(self.day(first), &Calendar::default()).end.unwrap();
            let days = usize::try_from((end.micros() - self.day(first).micros()) / DAY_MICROS);
            let days = days.unwrap();
            if first + days > self.0.len() {
                return months.split_off(1.min(months.len()));
            }
            months.push((first, days));
            first += days;
        }
    }

    fn sum(&self, first: usize, days: usize) -> u64 {
        self.0[first..first + days].iter().sum()
    }

    /// With the days before the month, or as if there had been none.
    fn project(&self, first: usize, passed: usize, knows_history: bool) -> Projection {
        let (now, calendar) = (self.day(first + passed), Calendar::default());
        let known = if knows_history { (first + passed).saturating_sub(56) } else { first };
        let days: Vec<_> = (known..first + passed)
            .map(|day| DayUse { start: self.day(day), used: Amount::from(self.0[day]) })
            .collect();
        Projection::of(&Past {
            period: Window::Month.span(self.day(first), &calendar),
            now,
            calendar: &calendar,
            used: Amount::from(self.sum(first, passed)),
            days: &days,
        })
    }
}

/// Busier on weekdays, growing by a fiftieth a month, and no day like another.
fn made_up(days: usize) -> History {
    let mut random = 1_u64;
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        500 + (random >> 33) % 1_000
    };
    // The 1st of January 2024 was a Monday.
    let weekdays = [10, 11, 12, 11, 9, 3, 2];
    let day = |day: usize| weekdays[day % 7] * (1_500 + day as u64) * next() / 1_000;
    History((0..days).map(day).collect())
}

fn recorded(text: &str, days: usize) -> History {
    let rows: Vec<_> = text
        .lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split(',');
            let at: Timestamp =
                format!("{}Z", cells.next().unwrap().replace(' ', "T")).parse().unwrap();
            (at.micros(), cells.map(|tokens| tokens.parse::<u64>().unwrap()).sum::<u64>())
        })
        .collect();
    let (first, last) = (rows[0].0, rows[rows.len() - 1].0);
    let mut sums = vec![0; days];
    for (at, tokens) in rows {
        let day = (at - first) * days as i64 / (last - first + 1);
        sums[usize::try_from(day).unwrap()] += tokens;
    }
    History(sums)
}

fn report(name: &str, history: &History) {
    println!("{name}: {} months", history.months().len());
    println!("  after   with history      of these in range   without history   plain run-rate");
    for passed in AFTER_DAYS {
        let (mut with, mut without, mut plain) = (vec![], vec![], vec![]);
        let mut in_range = 0;
        for (first, days) in history.months() {
            let actual = Decimal::from(history.sum(first, days));
            let off = |projected: Decimal| ((projected - actual) / actual).abs();
            let projection = history.project(first, passed, true);
            in_range += usize::from((projection.low..=projection.high).contains(&actual));
            with.push(off(projection.total));
            without.push(off(history.project(first, passed, false).total));
            let used = Decimal::from(history.sum(first, passed));
            plain.push(off(used * Decimal::from(days) / Decimal::from(passed)));
        }
        let percent = |off: &[Decimal]| {
            let mean = off.iter().sum::<Decimal>() / Decimal::from(off.len());
            format!("{} %", (mean * Decimal::from(100)).round_dp(1))
        };
        println!(
            "  {passed:>2} days {:>13} {:>20} {:>17} {:>16}",
            percent(&with),
            format!("{in_range} of {}", with.len()),
            percent(&without),
            percent(&plain),
        );
    }
}

fn main() {
    report("made up", &made_up(5 * 366));
    if let Some(path) = std::env::args().nth(1) {
        let text = std::fs::read_to_string(path).expect("a trace");
        // January to March of 2024: the second and the third month are projected.
        report("recorded", &recorded(&text, 31 + 29 + 31));
    }
}
