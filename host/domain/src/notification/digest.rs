//! One message for all alerts of a span, instead of a flood.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::TimeOfDay;
use crate::calendar::Calendar;
use crate::timestamp::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    pub every: Every,
    pub timezone: Tz,
    /// Whether errors are told at once.
    pub except_errors: bool,
}

/// When digests are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Every {
    /// So many, 1 to 1440, counted from local midnight.
    Minutes(u16),
    /// Each day at this time.
    Day(TimeOfDay),
}

impl Digest {
    /// The first digest after an instant.
    pub fn after(&self, at: Timestamp) -> Timestamp {
        let calendar = Calendar { timezone: self.timezone, ..Calendar::default() };
        match self.every {
            Every::Day(time) => calendar.next_at(time.time(), at),
            Every::Minutes(minutes) => {
                let span = calendar.clock_span(at, i64::from(minutes.max(1)) * 60);
                span.end.unwrap_or(at)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(every: Every, timezone: Tz, at: &str) -> String {
        let digest = Digest { every, timezone, except_errors: false };
        digest.after(at.parse().unwrap()).to_string()
    }

    #[test]
    fn digests_come_at_the_hour_or_at_a_time_of_the_day() {
        let day = Every::Day("08:00".parse().unwrap());
        for (every, timezone, at, expected) in [
            (Every::Minutes(60), Tz::UTC, "2026-08-10T12:10:00Z", "2026-08-10T13:00:00Z"),
            (Every::Minutes(60), Tz::UTC, "2026-08-10T13:00:00Z", "2026-08-10T14:00:00Z"),
            (Every::Minutes(60), Tz::Asia__Kolkata, "2026-08-10T12:10:00Z", "2026-08-10T12:30:00Z"),
            (Every::Minutes(15), Tz::UTC, "2026-08-10T23:50:00Z", "2026-08-11T00:00:00Z"),
            (day, Tz::Europe__Berlin, "2026-08-10T05:59:59Z", "2026-08-10T06:00:00Z"),
            (day, Tz::Europe__Berlin, "2026-08-10T06:00:00Z", "2026-08-11T06:00:00Z"),
            (day, Tz::Europe__Berlin, "2026-10-24T12:00:00Z", "2026-10-25T07:00:00Z"),
        ] {
            assert_eq!(after(every, timezone, at), expected, "{every:?} in {timezone} at {at}");
        }
    }
}
