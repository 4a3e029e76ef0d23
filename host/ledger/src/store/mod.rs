//! What the ledger needs of a store, and nothing of the ledger's rules.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    ChannelKind, EventKey, ModelId, PeriodId, Preferences, ProviderId, RootId, Snapshot, Span,
    SubjectId, SubjectPath, Subscription, Timestamp,
};

use crate::account::Account;
use crate::alert::AlertId;
use crate::billing::BillingEntry;
use crate::correction::Correction;
use crate::delivery::{Delivery, DeliveryFilter, DeliveryId, Listed, Progress};
use crate::event::{Event, EventId, Fingerprint, Raised};
use crate::once::Turn;
use crate::refusal::{Refusal, RefusalCounts, RefusalId};
use crate::reservation::{Outcome, Reservation, ReservationId};
use crate::totals::{Overflow, Table};

pub use crate::once::{Mark, Marked};
pub use logged::{Logged, ProviderTag, Rank};

pub(crate) mod block;
mod logged;
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
    /// When its billing period is due to be closed, if that is otherwise than before.
    pub due_at: Option<Timestamp>,
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
        /// What the limits of its plan raise at once.
        raised: Box<[Raised]>,
    },
    Corrected(Arc<Correction>),
    /// A billing period has ended.
    Closed {
        subject: SubjectId,
        entry: Arc<BillingEntry>,
    },
    /// Changes nothing, and is kept apart from the rest: not for ever.
    Refused(Arc<Refusal>),
    /// Somebody has read an alert of a level. No account changes.
    AlertRead {
        subject: SubjectId,
        alert: AlertId,
        at: Timestamp,
    },
    /// Where the alerts of a level go from now on, or those of everybody who has no preferences;
    /// `None` for nowhere of its own. No account changes.
    Preferred {
        owner: Option<SubjectId>,
        preferences: Option<Arc<Preferences>>,
    },
    /// What has become of deliveries. No account changes.
    Delivered(Arc<Vec<(DeliveryId, Progress)>>),
}

impl Change {
    /// The levels whose accounts it touches, the widest first.
    pub fn levels(&self) -> Vec<SubjectId> {
        match self {
            Self::Reserved { reservation, .. } | Self::Released(reservation) => {
                reservation.call.subject.levels().collect()
            }
            Self::Settled { event, .. } | Self::Recorded(event) => {
                event.report.subject.levels().collect()
            }
            Self::Corrected(correction) => correction.subject.levels().collect(),
            Self::Subscribed { subject, .. } | Self::Closed { subject, .. } => {
                vec![subject.clone()]
            }
            Self::Refused(refusal) => refusal.call.subject.levels().collect(),
            Self::AlertRead { .. } | Self::Preferred { .. } | Self::Delivered(_) => vec![],
        }
    }

    pub fn event(&self) -> Option<&Arc<Event>> {
        match self {
            Self::Settled { event, .. } | Self::Recorded(event) => Some(event),
            _ => None,
        }
    }

    pub fn correction(&self) -> Option<&Arc<Correction>> {
        match self {
            Self::Corrected(correction) => Some(correction),
            _ => None,
        }
    }

    /// What it says was used, or was used otherwise.
    pub fn fact(&self) -> Option<Fact> {
        let event = self.event().cloned().map(Fact::Event);
        event.or_else(|| self.correction().cloned().map(Fact::Correction))
    }

    /// The alerts that it raised, in their order.
    pub fn raised(&self) -> &[Raised] {
        match self {
            Self::Settled { event, .. } | Self::Recorded(event) => &event.raised,
            Self::Corrected(correction) => &correction.raised,
            Self::Subscribed { raised, .. } => raised,
            _ => &[],
        }
    }

    /// The billing period of an alert that it raised; `None` for a change that raises none.
    pub fn period_of(&self, raised: &Raised) -> Option<PeriodId> {
        match self {
            Self::Settled { event, .. } | Self::Recorded(event) => Some(event.period.clone()),
            Self::Corrected(correction) => Some(correction.period.clone()),
            Self::Subscribed { subscription, .. } => {
                Some(subscription.calendar.period(raised.raised_at))
            }
            _ => None,
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
            _ => None,
        }
    }
}

/// What was used, or was used otherwise than said before.
#[derive(Clone, Debug)]
pub enum Fact {
    Event(Arc<Event>),
    Correction(Arc<Correction>),
}

impl Fact {
    pub fn subject(&self) -> &SubjectPath {
        match self {
            Self::Event(event) => &event.report.subject,
            Self::Correction(correction) => &correction.subject,
        }
    }

    pub fn provider(&self) -> &ProviderId {
        match self {
            Self::Event(event) => &event.report.provider,
            Self::Correction(correction) => &correction.provider,
        }
    }

    pub fn model(&self) -> Option<&ModelId> {
        match self {
            Self::Event(event) => event.report.model.as_ref(),
            Self::Correction(correction) => correction.model.as_ref(),
        }
    }

    /// The alerts that it raised.
    pub fn raised(&self) -> &[Raised] {
        match self {
            Self::Event(event) => &event.raised,
            Self::Correction(correction) => &correction.raised,
        }
    }

    /// The billing period that it belongs to.
    pub fn period(&self) -> &PeriodId {
        match self {
            Self::Event(event) => &event.period,
            Self::Correction(correction) => &correction.period,
        }
    }

    /// Where it counts.
    pub fn occurred_at(&self) -> Timestamp {
        match self {
            Self::Event(event) => event.report.occurred_at,
            Self::Correction(correction) => correction.occurred_at,
        }
    }
}

/// What nobody will ask for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forget {
    /// Reservations created earlier.
    pub reservations_before: Timestamp,
    /// Marks of units decided earlier.
    pub keys_before: Timestamp,
    /// What was refused earlier, save how often.
    pub refusals_before: Timestamp,
}

/// Which refusals are asked for.
#[derive(Clone, Debug)]
pub struct RefusalFilter {
    /// Of calls on this level or beneath it; `None` for all.
    pub subject: Option<SubjectId>,
    /// When they were refused.
    pub span: Span,
    /// Older than this one.
    pub before: Option<RefusalId>,
    /// No more than so many.
    pub limit: usize,
}

impl RefusalFilter {
    /// Whether it is one of them, as far as one alone can tell.
    pub(crate) fn takes(&self, id: RefusalId, refusal: &Refusal) -> bool {
        let on_path =
            |subject: &SubjectId| refusal.call.subject.levels().any(|level| level == *subject);
        self.before.is_none_or(|before| id < before)
            && self.span.contains(refusal.at())
            && self.subject.as_ref().is_none_or(on_path)
    }
}

/// Somebody else changed an account since it was read: decide again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict;

/// The store cannot be relied on any more.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

impl From<Overflow> for StoreError {
    fn from(overflow: Overflow) -> Self {
        Self(overflow.to_string())
    }
}

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

    /// Whether any account is as `wanted` says. Looks through all of them: for what operators ask.
    fn any_account(
        &self,
        wanted: &dyn Fn(&SubjectId, &Account) -> bool,
    ) -> Result<bool, StoreError>;

    /// What was used on a level in a span, which begins and ends on quarters of an hour (UTC).
    fn used(&self, subject: &SubjectId, span: &Span) -> Result<Table, StoreError>;

    /// The same of each of some spans, which are in order and do not overlap.
    fn used_in_each(&self, subject: &SubjectId, spans: &[Span]) -> Result<Vec<Table>, StoreError> {
        spans.iter().map(|span| self.used(subject, span)).collect()
    }

    /// The reservations beneath a root that have not ended; expired ones may be among them.
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

    /// The blocks of refusals so far; the first may be forgotten at any time.
    fn refusals_blocks(&self) -> Result<Range<u64>, StoreError>;

    /// The bytes of a block of refusals; `None` for one that is forgotten.
    fn refusals_block(&self, number: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// What the units of a block changed, each with its place. A block that is not there any more
    /// is an error.
    fn changes_of(&self, block: u64) -> Result<Vec<(EventId, Change)>, StoreError>;

    /// The facts of a block, each with its id. A block that is not there any more is an error.
    fn facts_of(&self, block: u64) -> Result<Vec<(EventId, Fact)>, StoreError> {
        let changes = self.changes_of(block)?.into_iter();
        Ok(changes.filter_map(|(id, change)| Some((id, change.fact()?))).collect())
    }

    /// The events of a level and of those beneath it, the newest first: those that stand before
    /// `before`, no more than so many. Their cost is independent of how many others there are.
    fn logged(
        &self,
        subject: &SubjectId,
        before: Option<Rank>,
        limit: usize,
    ) -> Result<Vec<Logged>, StoreError>;

    /// The alerts of a level, the oldest first, each with when it was read.
    fn alerts(&self, subject: &SubjectId) -> Result<Vec<(AlertId, Option<Timestamp>)>, StoreError>;

    /// A level's own preferences, or those of everybody who has none.
    fn preferences(
        &self,
        owner: Option<&SubjectId>,
    ) -> Result<Option<Arc<Preferences>>, StoreError>;

    fn delivery(&self, id: DeliveryId) -> Result<Option<Arc<Delivery>>, StoreError>;

    /// The deliveries of an alert, in their order.
    fn deliveries_of(&self, alert: AlertId) -> Result<Vec<Listed>, StoreError>;

    /// Deliveries of any subject, the newest first.
    fn deliveries(&self, which: &DeliveryFilter) -> Result<Vec<Listed>, StoreError>;

    /// Pending deliveries of a kind that were due at `now` or before: the first so many of those
    /// that `is_wanted`. Their cost is independent of how many others there are.
    fn deliveries_due(
        &self,
        kind: ChannelKind,
        now: Timestamp,
        limit: usize,
        is_wanted: &dyn Fn(DeliveryId, &Delivery) -> bool,
    ) -> Result<Vec<Listed>, StoreError>;

    /// The event that a subject's caller gave this name.
    fn event_by_key(
        &self,
        subject: &SubjectPath,
        key: &EventKey,
    ) -> Result<Option<EventId>, StoreError>;

    /// The corrections of an event, the last of which says what it counts.
    fn corrections_of(&self, event: EventId) -> Result<Vec<EventId>, StoreError>;

    /// The correction that a subject's caller gave this name.
    fn correction_by_key(
        &self,
        subject: &SubjectPath,
        key: &EventKey,
    ) -> Result<Option<EventId>, StoreError>;

    /// The closed billing periods of a level, the oldest first.
    fn billing_history(&self, subject: &SubjectId) -> Result<Vec<Arc<BillingEntry>>, StoreError>;

    /// How a level's own subscription was changed, the oldest first: each time when, and what it
    /// became.
    fn subscriptions(
        &self,
        subject: &SubjectId,
    ) -> Result<Vec<(Timestamp, Subscription)>, StoreError>;

    /// Levels whose billing periods were due to be closed at `now` or before, the first so many;
    /// among them may be some that are not due any more, until they are forgotten.
    fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<(Timestamp, SubjectId)>, StoreError>;

    /// Forgets that these were due.
    fn forget_due(&self, due: &[(Timestamp, SubjectId)]) -> Result<(), StoreError>;

    /// Refusals, the newest first.
    fn refusals(&self, which: &RefusalFilter)
    -> Result<Vec<(RefusalId, Arc<Refusal>)>, StoreError>;

    /// How often a level's calls, and those beneath it, were refused, by billing period.
    fn refusal_counts(
        &self,
        subject: &SubjectId,
    ) -> Result<BTreeMap<PeriodId, RefusalCounts>, StoreError>;

    /// The units of requests under a key, those decided at `since` or later.
    fn marked(&self, key: &Fingerprint, since: Timestamp) -> Result<Vec<Marked>, StoreError>;

    /// Keeps bytes under a name, for whoever works with the ledger, and returns once they are on
    /// disk: all of them or nothing. What is kept stays for ever, and the first under a name is
    /// the one that stays. May block, and nothing that is committed waits for it long.
    fn shelve(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// What is kept under a name.
    fn shelved(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// The names under which something is kept that begin so, in their order.
    fn shelf(&self, prefix: &str) -> Result<Vec<String>, StoreError>;

    /// The latest instant at which anything committed was decided.
    fn last_instant(&self) -> Timestamp;

    /// Work behind the commits: condenses what a restart would have to replay, and may
    /// forget what nobody will ask for again. May block. An error is final.
    fn maintain(&self, forget: &Forget) -> Result<(), StoreError>;
}
