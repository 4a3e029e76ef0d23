//! How long to wait before something is tried again: longer each time, up to a ceiling, and by
//! chance, so that what failed together does not come back together.

use std::time::Duration;

use crate::settings::NotifySettings;

pub struct Backoff {
    first: Duration,
    longest: Duration,
    attempts_max: u32,
}

impl Backoff {
    pub fn new(settings: &NotifySettings) -> Self {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Self {
            first: seconds(settings.notify_backoff_seconds),
            longest: seconds(settings.notify_backoff_max_seconds),
            attempts_max: settings.notify_attempts,
        }
    }

    /// The pause after so many attempts, none of them shorter than the place asks for, as far as
    /// the ceiling allows; `None` where there is to be no other attempt.
    pub fn after(&self, attempts: u32, asked: Option<Duration>) -> Option<Duration> {
        if attempts >= self.attempts_max {
            return None;
        }
        let doubled = 2_u32.checked_pow(attempts.saturating_sub(1));
        let ceiling = doubled.and_then(|times| self.first.checked_mul(times));
        let ceiling = ceiling.unwrap_or(self.longest).min(self.longest);
        let micros = u64::try_from(ceiling.as_micros()).unwrap_or(u64::MAX);
        let pause = Duration::from_micros(fastrand::u64(0..=micros));
        Some(pause.max(asked.unwrap_or_default()).min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_ceiling_and_end() {
        let seconds = Duration::from_secs;
        let backoff = Backoff { first: seconds(10), longest: seconds(60), attempts_max: 40 };
        for attempts in 1..40_u32 {
            let ceiling = seconds(10 << (attempts - 1).min(4)).min(seconds(60));
            let pauses: Vec<_> = (0..200).filter_map(|_| backoff.after(attempts, None)).collect();
            assert_eq!(pauses.len(), 200);
            assert!(pauses.iter().all(|pause| *pause <= ceiling), "after {attempts}");
            assert!(pauses.iter().any(|pause| *pause > ceiling / 2), "after {attempts}");
            assert!(pauses.iter().any(|pause| *pause < ceiling / 2), "after {attempts}");
        }
        assert_eq!(backoff.after(40, None), None);
        assert!(backoff.after(1, Some(seconds(30))) >= Some(seconds(30)));
        assert_eq!(backoff.after(1, Some(seconds(9_999))), Some(seconds(60)));
    }
}
