//! Reservations: quota held between asking and knowing what was used.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tollgate_domain::{Call, RootId, Timestamp, Usage, Usd};

use crate::event::{EventId, Fingerprint};

/// A hold on quota, on every level of the call's path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    pub id: ReservationId,
    /// Its usage is what is held.
    pub call: Call,
    /// The usage as its caller stated it, before policies filled in the rest; `None` where that
    /// was all of it.
    pub asked: Option<Usage>,
    /// What is held of quotas on cost; `None` where that is not known.
    pub cost: Option<Usd>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// The policy revision that granted it.
    pub revision: String,
    pub outcome: Outcome,
}

/// How a reservation ended. One that has not is held until it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Open,
    Settled {
        /// Of the settling body: tells a repetition from a contradiction.
        fingerprint: Fingerprint,
        event: EventId,
    },
    Released,
}

/// What a reservation is at some instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Held,
    Settled,
    Released,
    Expired,
}

/// For how long after its expiry a reservation can still be settled, and is known at all.
const SETTLEABLE: Duration = Duration::from_secs(7 * 24 * 3600);

impl Reservation {
    /// Whether it is too long past for anybody to ask for.
    pub(crate) fn is_forgotten(&self, now: Timestamp) -> bool {
        self.expires_at.plus(SETTLEABLE) <= now
    }

    /// Expiry is a matter of time alone: nothing need happen for it.
    pub fn state(&self, now: Timestamp) -> State {
        match self.outcome {
            Outcome::Settled { .. } => State::Settled,
            Outcome::Released => State::Released,
            Outcome::Open if self.expires_at <= now => State::Expired,
            Outcome::Open => State::Held,
        }
    }
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Settled => "settled",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

/// Names a reservation: 48 bits of its creation in milliseconds, 32 of its root's hash, and 48
/// at random, so that ids sort by time and lead to their root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReservationId([u8; 16]);

impl ReservationId {
    pub(crate) const FIRST: Self = Self([0; 16]);
    pub(crate) const LAST: Self = Self([u8::MAX; 16]);

    pub(crate) fn new(root: &RootId, created_at: Timestamp, random: u64) -> Self {
        let Self(mut id) = Self::first_at(created_at);
        id[6..10].copy_from_slice(&Self::root_hash(root));
        id[10..].copy_from_slice(&random.to_be_bytes()[2..]);
        Self(id)
    }

    /// No id of that instant sorts before it.
    pub(crate) fn first_at(created_at: Timestamp) -> Self {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&created_at.millis().to_be_bytes()[2..]);
        Self(id)
    }

    /// When it was created.
    pub(crate) fn created_at_millis(self) -> u64 {
        self.0[..6].iter().fold(0, |millis, byte| millis << 8 | u64::from(*byte))
    }

    /// Its bytes, beginning with the hash of its root: ids of one root sort together, and among
    /// themselves by time.
    pub(crate) fn root_first(self) -> [u8; 16] {
        let Self(mut id) = self;
        id[..10].rotate_left(6);
        id
    }

    /// The id that has these bytes if it begins with the hash of its root.
    pub(crate) fn of_root_first(mut id: [u8; 16]) -> Self {
        id[..10].rotate_right(6);
        Self(id)
    }

    /// The hash of its root.
    pub(crate) fn root_part(self) -> [u8; 4] {
        [self.0[6], self.0[7], self.0[8], self.0[9]]
    }

    /// The same for all reservations beneath one root.
    pub(crate) fn root_hash(root: &RootId) -> [u8; 4] {
        let digest = Sha256::digest(root.as_str());
        [digest[0], digest[1], digest[2], digest[3]]
    }
}

impl fmt::Display for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl FromStr for ReservationId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let hex = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !hex {
            return Err(());
        }
        u128::from_str_radix(text, 16).map(|id| Self(id.to_be_bytes())).map_err(|_| ())
    }
}
