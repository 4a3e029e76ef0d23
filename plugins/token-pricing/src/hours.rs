//! The time of day at which a price holds.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

const SECOND_MS: u64 = 1_000;
const DAY_S: u64 = 86_400;

/// A span of every day, in UTC: from its first instant to before its end. It may cross midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hours {
    from_s: u64,
    to_s: u64,
}

impl Hours {
    /// Whether an instant, in milliseconds since 1970, is within it.
    pub(crate) fn include(self, at: u64) -> bool {
        let time = at / SECOND_MS % DAY_S;
        match self.from_s <= self.to_s {
            true => (self.from_s..self.to_s).contains(&time),
            false => time >= self.from_s || time < self.to_s,
        }
    }

    /// In the words of the price list's terms.
    pub(crate) fn as_terms(self) -> tollgate_plugin::pricing::Hours {
        // A day has no more seconds than that.
        let second = |time: u64| u32::try_from(time).unwrap_or_default();
        tollgate_plugin::pricing::Hours {
            from_second: second(self.from_s),
            to_second: second(self.to_s),
        }
    }

    /// Reads `16:30-00:30` and `16:30:00-00:30:00`.
    fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let (from_s, to_s) = (time(from.trim())?, time(to.trim())?);
        (from_s < DAY_S && from_s != to_s).then_some(Self { from_s, to_s })
    }
}

/// Seconds since midnight; `24:00` is the end of a day.
fn time(text: &str) -> Option<u64> {
    let mut fields = text.split(':').map(|field| {
        let is_number = field.len() == 2 && field.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| field.parse::<u64>().ok()).flatten()
    });
    let (hour, minute) = (fields.next()??, fields.next()??);
    let second = fields.next().unwrap_or(Some(0))?;
    let is_time = fields.next().is_none() && minute < 60 && second < 60;
    let time = (hour * 60 + minute) * 60 + second;
    (is_time && time <= DAY_S).then_some(time)
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let message =
            || de::Error::custom(format!("`{text}` is not a span of the day such as 16:30-00:30"));
        Self::parse(&text).ok_or_else(message)
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut write = |time: u64, after: &str| {
            write!(f, "{:02}:{:02}", time / 3_600, time / 60 % 60)?;
            match time % 60 {
                0 => f.write_str(after),
                seconds => write!(f, ":{seconds:02}{after}"),
            }
        };
        write(self.from_s, "-")?;
        write(self.to_s, "")
    }
}
