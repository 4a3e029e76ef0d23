//! How fast the trace is replayed.

use std::str::FromStr;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// Each call as soon as the one before it is done.
    Flat,
    /// As recorded, so many times faster.
    Times(f64),
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("is not a speed: flat, realtime or a factor such as 10x")]
pub struct SpeedError;

impl Speed {
    /// When a row is due that came so long after the trace's first; `None` for at once.
    #[expect(clippy::float_arithmetic, reason = "a pace, not money")]
    pub fn due(self, start: Instant, offset: Duration) -> Option<Instant> {
        match self {
            Self::Flat => None,
            Self::Times(factor) => {
                let scaled = Duration::try_from_secs_f64(offset.as_secs_f64() / factor);
                start.checked_add(scaled.unwrap_or(Duration::MAX))
            }
        }
    }
}

impl FromStr for Speed {
    type Err = SpeedError;

    fn from_str(text: &str) -> Result<Self, SpeedError> {
        match text {
            "flat" => Ok(Self::Flat),
            "realtime" => Ok(Self::Times(1.0)),
            _ => {
                let factor = text.strip_suffix('x').and_then(|factor| factor.parse().ok());
                let usable = factor.filter(|factor: &f64| factor.is_normal() && *factor > 0.0);
                usable.map(Self::Times).ok_or(SpeedError)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_brings_rows_closer_together() {
        let start = Instant::now();
        let due = |speed: &str| speed.parse::<Speed>().unwrap().due(start, Duration::from_secs(10));
        assert_eq!(due("flat"), None);
        assert_eq!(due("realtime"), Some(start + Duration::from_secs(10)));
        assert_eq!(due("10x"), Some(start + Duration::from_secs(1)));
        assert_eq!(due("0.5x"), Some(start + Duration::from_secs(20)));
    }

    #[test]
    fn what_is_no_speed_is_refused() {
        for text in ["", "x", "10", "0x", "-1x", "NaNx", "infx", "fast"] {
            assert_eq!(text.parse::<Speed>(), Err(SpeedError), "{text:?}");
        }
    }
}
