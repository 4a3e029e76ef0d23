//! What the ledger needs of a store, and nothing of the ledger's rules.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    EventKey, RootId, Snapshot, Span, SubjectId, SubjectPath, Subscription, Timestamp,
};

use crate::account::Account;
use crate::event::{Event, EventId, Fingerprint};
use crate::once::Turn;
use crate::reservation::{Outcome, Reservation, ReservationId};
use crate::totals::Table;

pub use crate::once::{Mark, Marked};

pub(crate) mod block;
pub mod memory;
pub mod sled;

/// Counts the units that touched an account.
pub type Version = u64;

/// Everything one call changes, on all its levels. It succeeds or fails by itself.
#[derive(Clone, Debug)]
pub struct Unit {
    /// When it was decided.
    pub at: Timestamp,
    /// Every account the decision was read from.
    pub accounts: Vec<AccountChange>,
    pub change: Change,
    /// Of the request that it belongs to: its mark is committed with the unit.
    pub turn: Turn,
}

/// An account's new state, valid only if nobody touched the account since it was read. A hold
/// changes no state, and still makes other decisions about the same account conflict.
#[derive(Clone, Debug)]
pub struct AccountChange {
    pub subject: SubjectId,
    pub read_at: Version,
    pub account: Arc<Account>,
}

/// What happened. New kinds are appended: stored blocks name them by position.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Change {
    Reserved {
        reservation: Arc<Reservation>,
        /// Where the call stood, its own hold not counted.
        snapshot: Arc<Snapshot>,
    },
    Released(Arc<Reservation>),
    Settled {
        /// As it was before.
        reservation: Arc<Reservation>,
        fingerprint: Fingerprint,
        event: Arc<Event>,
    },
    Recorded(Arc<Event>),
    Subscribed {
        subject: SubjectId,
        subscription: Subscription,
    },
}

impl Change {
    /// The levels that it touches, the widest first.
    pub fn levels(&self) -> Vec<SubjectId> {
        match self {
            Self::Reserved { reservation, .. } | Self::Released(reservation) => {
                reservation.call.subject.levels().collect()
            }
            Self::Settled { event, .. } | Self::Recorded(event) => {
                event.report.subject.levels().collect()
            }
            Self::Subscribed { subject, .. } => vec![subject.clone()],
        }
    }

    pub fn event(&self) -> Option<&Arc<Event>> {
        match self {
            Self::Settled { event, .. } | Self::Recorded(event) => Some(event),
            Self::Reserved { .. } | Self::Released(_) | Self::Subscribed { .. } => None,
        }
    }

    /// The reservation that it changes, as it is afterwards; `id` is the unit's place.
    pub fn reservation(&self, id: EventId) -> Option<Arc<Reservation>> {
        let ended = |reservation: &Reservation, outcome| {
            Some(Arc::new(Reservation { outcome, ..reservation.clone() }))
        };
        match self {
            Self::Reserved { reservation, .. } => Some(reservation.clone()),
            Self::Released(reservation) => ended(reservation, Outcome::Released),
            Self::Settled { reservation, fingerprint, .. } => {
                ended(reservation, Outcome::Settled { fingerprint: *fingerprint, event: id })
            }
            Self::Recorded(_) | Self::Subscribed { .. } => None,
        }
    }
}

/// What nobody will ask for again.
#[derive(Clone, Copy, Debug)]
pub struct Forget {
    /// Reservations created earlier.
    pub reservations_before: Timestamp,
    /// Marks of units decided earlier.
    pub keys_before: Timestamp,
}

/// Somebody else changed an account since it was read: decide again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict;

/// The store cannot be relied on any more.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Keeps units, and answers what follows from them.
///
/// Reads see exactly the units whose commit has been answered. They are made under a root's
/// lock and should be short.
pub trait Store: Send + Sync + 'static {
    /// Commits each unit by itself, in this order, and answers once all that succeeded are on
    /// disk: with the unit's place, which is its event's id. May block: the ledger calls it
    /// from a thread of its own, one batch at a time. An error is final.
    fn commit(
        &self,
        units: &[Unit],
    ) -> impl Future<Output = Result<Vec<Result<EventId, Conflict>>, StoreError>> + Send;

    /// An account and how often it was touched; `None` if never.
    fn account(&self, subject: &SubjectId) -> Result<Option<(Version, Arc<Account>)>, StoreError>;

    /// What was used on a level in a span, which begins and ends on quarters of an hour (UTC).
    fn used(&self, subject: &SubjectId, span: &Span) -> Result<Table, StoreError>;

    /// The reservations beneath a root that have not ended, expired ones included.
    fn open_reservations(&self, root: &RootId) -> Result<Vec<Arc<Reservation>>, StoreError>;

    fn reservation(&self, id: ReservationId) -> Result<Option<Arc<Reservation>>, StoreError>;

    /// What the unit changed that was committed there.
    fn change(&self, id: EventId) -> Result<Option<Change>, StoreError>;

    fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        Ok(self.change(id)?.and_then(|change| change.event().cloned()))
    }

    /// The blocks committed so far: units lie in them in the order of their commits.
    fn blocks(&self) -> Range<u64>;

    /// A block's bytes, the same for ever and on every store: what a backup keeps of it. One that
    /// is not there any more is an error.
    fn block(&self, number: u64) -> Result<Vec<u8>, StoreError>;

    /// The events of a block, each with its id. One that is not there any more is an error.
    fn events_of(&self, block: u64) -> Result<Vec<(EventId, Arc<Event>)>, StoreError>;

    /// The event that a subject's caller gave this name.
    fn event_by_key(
        &self,
        subject: &SubjectPath,
        key: &EventKey,
    ) -> Result<Option<EventId>, StoreError>;

    /// The units of requests under a key, those decided at `since` or later.
    fn marked(&self, key: &Fingerprint, since: Timestamp) -> Result<Vec<Marked>, StoreError>;

    /// The latest instant at which anything committed was decided.
    fn last_instant(&self) -> Timestamp;

    /// Work behind the commits: condenses what a restart would have to replay, and may
    /// forget what nobody will ask for again. May block. An error is final.
    fn maintain(&self, forget: &Forget) -> Result<(), StoreError>;
}
