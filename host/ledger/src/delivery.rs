//! Deliveries: an alert on its way to one place, until it has arrived or nobody tries any more.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tollgate_domain::{Channel, SubjectId, Timestamp};

use crate::alert::AlertId;

/// Longer texts about what went wrong are cut.
const ERROR_BYTES_MAX: usize = 300;

/// The how manieth place an alert goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeliveryId {
    pub alert: AlertId,
    pub ordinal: u16,
}

impl DeliveryId {
    pub(crate) const FIRST: Self = Self { alert: AlertId::of_number(0), ordinal: 0 };
    pub(crate) const LAST: Self = Self { alert: AlertId::of_number(u64::MAX), ordinal: u16::MAX };

    /// Those that an alert may have.
    pub(crate) fn all_of(alert: AlertId) -> RangeInclusive<Self> {
        Self { alert, ordinal: 0 }..=Self { alert, ordinal: u16::MAX }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Whom the alert is about.
    pub subject: SubjectId,
    /// Whose preferences name the place; `None` for those that are for everybody else.
    pub owner: Option<SubjectId>,
    pub channel: Channel,
    pub state: DeliveryState,
    /// When it is tried next, if it is pending.
    pub due_at: Timestamp,
    /// How often it was tried; from anew after somebody has asked for it again.
    pub attempts: u32,
    /// What went wrong the last time.
    pub error: Option<String>,
    /// When it came to be as it is.
    pub changed_at: Timestamp,
}

/// Where a delivery stands. New ones are appended: rows name them by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DeliveryState {
    Pending,
    /// It has arrived: nothing changes it any more.
    Sent,
    /// It was tried often enough, and lies there for somebody to look at.
    Dead,
}

/// What becomes of a delivery. New kinds are appended: stored blocks name them by position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    Sent,
    /// It was tried in vain, and is tried again then, if at all.
    Failed {
        error: String,
        again_at: Option<Timestamp>,
    },
    /// It must not be told before, and was not tried.
    Postponed(Timestamp),
    /// Somebody wants it to be tried again, now, and as often as at first.
    Retried,
}

/// Which deliveries are asked for.
#[derive(Clone, Debug)]
pub struct DeliveryFilter {
    /// Of alerts of this very level; `None` for all.
    pub subject: Option<SubjectId>,
    pub state: Option<DeliveryState>,
    /// Of an older alert, or earlier among its own, than this one.
    pub before: Option<DeliveryId>,
    /// No more than so many.
    pub limit: usize,
}

/// A delivery with its name.
pub type Listed = (DeliveryId, Arc<Delivery>);

impl Delivery {
    /// What it is after something has become of it.
    pub(crate) fn after(&self, progress: &Progress, at: Timestamp) -> Self {
        if self.state == DeliveryState::Sent {
            return self.clone();
        }
        let attempts = self.attempts.saturating_add(1);
        match progress {
            Progress::Sent => Self {
                state: DeliveryState::Sent,
                attempts,
                error: None,
                changed_at: at,
                ..self.clone()
            },
            Progress::Failed { error, again_at } => Self {
                state: again_at.map_or(DeliveryState::Dead, |_| DeliveryState::Pending),
                due_at: again_at.unwrap_or(self.due_at),
                attempts,
                error: Some(error.clone()),
                changed_at: at,
                ..self.clone()
            },
            Progress::Postponed(until) => Self { due_at: *until, ..self.clone() },
            Progress::Retried => Self {
                state: DeliveryState::Pending,
                due_at: at,
                attempts: 0,
                changed_at: at,
                ..self.clone()
            },
        }
    }
}

impl Progress {
    pub fn failed(error: &str, again_at: Option<Timestamp>) -> Self {
        let mut end = error.len().min(ERROR_BYTES_MAX);
        while !error.is_char_boundary(end) {
            end -= 1;
        }
        Self::Failed { error: error[..end].to_owned(), again_at }
    }
}

impl DeliveryState {
    pub const ALL: [Self; 3] = [Self::Pending, Self::Sent, Self::Dead];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Dead => "dead",
        }
    }
}

impl FromStr for DeliveryState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

impl DeliveryFilter {
    /// Whether it is one of them, as far as it alone can tell.
    pub(crate) fn takes(&self, id: DeliveryId, delivery: &Delivery) -> bool {
        self.before.is_none_or(|before| id < before)
            && self.state.is_none_or(|state| delivery.state == state)
            && self.subject.as_ref().is_none_or(|subject| delivery.subject == *subject)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nt-{:x}-{:x}", self.alert.number(), self.ordinal)
    }
}

impl FromStr for DeliveryId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (alert, ordinal) = crate::event::place(text, "nt-").ok_or(())?;
        let ordinal = u16::try_from(ordinal).map_err(|_| ())?;
        Ok(Self { alert: AlertId::of_number(alert), ordinal })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let id = DeliveryId { alert: AlertId::new(70_000, 3), ordinal: 12 };
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "nt-1", "ev-1-1", "nt-1-fffff", "nt-x-1"] {
            assert_eq!(wrong.parse::<DeliveryId>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn what_has_arrived_is_changed_by_nothing() {
        let noon = Timestamp::EPOCH;
        let sent = Delivery {
            subject: "ann".parse().unwrap(),
            owner: None,
            channel: Channel::Log,
            state: DeliveryState::Sent,
            due_at: noon,
            attempts: 1,
            error: None,
            changed_at: noon,
        };
        for progress in [Progress::Retried, Progress::failed("x", None), Progress::Sent] {
            assert_eq!(sent.after(&progress, Timestamp::from_micros(9)), sent);
        }
    }

    #[test]
    fn long_errors_are_cut_between_letters() {
        let Progress::Failed { error, .. } = Progress::failed(&"ü".repeat(400), None) else {
            panic!("it failed")
        };
        assert_eq!(error, "ü".repeat(150));
    }
}
