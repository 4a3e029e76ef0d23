//! What a clock on the wall shows.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveTime;
use serde::{Deserialize, Serialize};

use crate::schema;

/// A time of the day, to the minute: `08:30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TimeOfDay {
    minutes: u16,
}

/// Why a text is not a [`TimeOfDay`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a time of the day from \"00:00\" to \"23:59\"")]
pub struct TimeOfDayError;

impl TimeOfDay {
    pub(crate) fn time(self) -> NaiveTime {
        let seconds = u32::from(self.minutes) * 60;
        NaiveTime::from_num_seconds_from_midnight_opt(seconds, 0).unwrap_or_default()
    }
}

impl FromStr for TimeOfDay {
    type Err = TimeOfDayError;

    fn from_str(text: &str) -> Result<Self, TimeOfDayError> {
        let part = |text: &str, end: u16| {
            let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number: &u16| is_plain && *number < end)
        };
        let (hours, minutes) = text.split_once(':').ok_or(TimeOfDayError)?;
        match (part(hours, 24), part(minutes, 60)) {
            (Some(hours), Some(minutes)) => Ok(Self { minutes: hours * 60 + minutes }),
            _ => Err(TimeOfDayError),
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

schema::described! {
    TimeOfDay as "TimeOfDay";
    schema::text("A time of the day.", "^([01][0-9]|2[0-3]):[0-5][0-9]$", "22:30").build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_day_is_read_as_it_is_written() {
        for text in ["00:00", "07:05", "23:59"] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), text);
        }
        for wrong in ["", "24:00", "7:00", "07:60", "07", "+7:00", "07:0x"] {
            assert_eq!(wrong.parse::<TimeOfDay>(), Err(TimeOfDayError), "{wrong}");
        }
    }
}
