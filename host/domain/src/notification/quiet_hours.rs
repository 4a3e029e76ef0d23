//! Hours in which nobody is told anything.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::TimeOfDay;
use crate::calendar::Calendar;
use crate::timestamp::Timestamp;

/// From one local time to another, across midnight if that comes in between. The same twice is
/// none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    pub from: TimeOfDay,
    pub to: TimeOfDay,
    pub timezone: Tz,
    /// Whether errors are told all the same.
    pub except_errors: bool,
}

impl QuietHours {
    /// When the quiet hours end that an instant lies in; `None` where it lies in none.
    pub fn end(&self, at: Timestamp) -> Option<Timestamp> {
        let calendar = Calendar { timezone: self.timezone, ..Calendar::default() };
        let now = calendar.local(at).time();
        let (from, to) = (self.from.time(), self.to.time());
        let is_quiet = match from <= to {
            true => from <= now && now < to,
            false => from <= now || now < to,
        };
        is_quiet.then(|| calendar.next_at(to, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(from: &str, to: &str, timezone: Tz, at: &str) -> Option<String> {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        let quiet = QuietHours { from, to, timezone, except_errors: false };
        quiet.end(at.parse().unwrap()).map(|end| end.to_string())
    }

    #[test]
    fn quiet_hours_may_cross_midnight() {
        let of = |at| end("22:00", "07:00", Tz::UTC, at);
        assert_eq!(of("2026-08-10T21:59:59Z"), None);
        assert_eq!(of("2026-08-10T22:00:00Z").as_deref(), Some("2026-08-11T07:00:00Z"));
        assert_eq!(of("2026-08-11T06:59:59.999Z").as_deref(), Some("2026-08-11T07:00:00Z"));
        assert_eq!(of("2026-08-11T07:00:00Z"), None);
        let lunch = |at| end("12:00", "13:00", Tz::UTC, at);
        assert_eq!(lunch("2026-08-10T12:30:00Z").as_deref(), Some("2026-08-10T13:00:00Z"));
        assert_eq!(lunch("2026-08-10T13:00:00Z"), None);
        assert_eq!(end("12:00", "12:00", Tz::UTC, "2026-08-10T12:00:00Z"), None);
    }

    #[test]
    fn quiet_hours_follow_the_clocks_on_the_wall() {
        let berlin = |at| end("22:00", "07:00", Tz::Europe__Berlin, at);
        assert_eq!(berlin("2026-08-10T20:00:00Z").as_deref(), Some("2026-08-11T05:00:00Z"));
        // In this night clocks go from 3 back to 2.
        assert_eq!(berlin("2026-10-24T20:00:00Z").as_deref(), Some("2026-10-25T06:00:00Z"));
        // What comes twice ends after the instant, not before it.
        let twice = |at| end("01:00", "02:30", Tz::Europe__Berlin, at);
        assert_eq!(twice("2026-10-25T00:10:00Z").as_deref(), Some("2026-10-25T00:30:00Z"));
        assert_eq!(twice("2026-10-25T01:10:00Z").as_deref(), Some("2026-10-25T01:30:00Z"));
        // In this one they go from 2 to 3: half past two never comes.
        let never = end("01:00", "02:30", Tz::Europe__Berlin, "2026-03-29T00:30:00Z");
        assert_eq!(never.as_deref(), Some("2026-03-29T01:00:00Z"));
    }
}
