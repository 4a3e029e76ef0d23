//! Time: the only place that reads the system's clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tollgate_domain::Timestamp;

/// Says what time it is.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Source);

#[derive(Clone, Copy, Debug)]
enum Source {
    System,
    Started { at: Timestamp, then: Instant },
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that shows `at` now and runs on from there, whatever happens to the system's.
    pub fn starting_at(at: Timestamp) -> Self {
        Self(Source::Started { at, then: Instant::now() })
    }

    pub fn now(&self) -> Timestamp {
        match self.0 {
            Source::System => system_now(),
            Source::Started { at, then } => at.plus(then.elapsed()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where time enters")]
fn system_now() -> Timestamp {
    // A clock set before 1970 is not worth a word of its own.
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(0).plus(since_epoch)
}
