//! The ledger's operations. Each decides under its root's lock, and answers once that is on
//! disk.

mod alerts;
mod ask;
mod average;
mod billing;
mod correct;
mod log;
mod months;
mod notify;
mod once;
mod record;
mod roots;
mod subscribe;
mod usage;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tollgate_domain::{PlanBook, RootId, SubjectPath, Timestamp};

pub use ask::{Ask, Reserved};
pub use correct::{Corrected, Counted};
pub use log::{LogEntry, LogFilter, LogPage};
pub use months::{MonthUsage, SpanUsage};
pub use record::{Begun, Recorded};
pub use subscribe::SubscriptionChange;
pub use usage::{Period, PeriodUsage};

use self::roots::Roots;
use crate::backup::Backup;
use crate::committer::{Answer, Committer};
use crate::event::EventId;
use crate::once::Claims;
use crate::reservation::{Reservation, ReservationId};
use crate::root::{NotReady, Root};
use crate::store::{Forget, Store, StoreError};
use crate::totals::Overflow;

/// How long reservations are kept: for seven days after at most one day of being held.
const REMEMBERED: Duration = Duration::from_secs(8 * 24 * 3600);

/// How long refusals are kept unless told otherwise.
pub const REFUSALS_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// A root that nobody touched for this long leaves memory.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// The accounts, reservations and events of all subjects.
///
/// Operations take the clock's time and the plans in force; closures given to them may be
/// called again, since a decision that conflicts with somebody else's is made anew.
pub struct Ledger<S> {
    store: Arc<S>,
    committer: Committer,
    roots: Roots,
    /// Idempotency keys of requests under way, whatever root they are about.
    keys: Arc<Claims>,
    /// The latest instant that anything was decided at, in microseconds.
    latest: AtomicI64,
    refusals_kept: Duration,
}

/// Counts since the start, and how large things are now.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// Batches that were written and synced.
    pub commits: u64,
    /// Units in them, those that conflicted included.
    pub units: u64,
    /// Of all batches together.
    pub commit_time: Duration,
    /// In memory.
    pub roots: u64,
    /// In the journal.
    pub blocks: u64,
}

/// Why the ledger did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("there is no such reservation")]
    UnknownReservation,
    #[error("the reservation was released: record the use with POST /v1/usage instead")]
    ReservationReleased,
    #[error("the reservation was settled already")]
    ReservationSettled,
    #[error("the same was recorded before with other content")]
    Contradiction,
    #[error("there is no such event")]
    UnknownEvent,
    #[error("there is no such alert")]
    UnknownAlert,
    #[error("there is no such notification")]
    UnknownDelivery,
    #[error("the notification has arrived already")]
    DeliverySent,
    /// The correction was made from what the event counted before that.
    #[error("the event has been corrected meanwhile")]
    CorrectedMeanwhile,
    #[error("a request with this idempotency key is still under way")]
    KeyUnderWay,
    #[error("this idempotency key was used with another body")]
    KeyReused,
    #[error("event {0} is missing from the store")]
    LostEvent(EventId),
    #[error(transparent)]
    Overflow(#[from] Overflow),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of an operation under its root's lock.
enum Step<T> {
    Done(T),
    /// Somebody else is deciding the same: try again when that is on disk.
    Wait,
    /// The unit is queued.
    Queued(T, Answer),
}

impl<T> Step<T> {
    fn map<U>(self, map: impl FnOnce(T) -> U) -> Step<U> {
        match self {
            Self::Done(answer) => Step::Done(map(answer)),
            Self::Wait => Step::Wait,
            Self::Queued(answer, outcome) => Step::Queued(map(answer), outcome),
        }
    }
}

/// A root, locked: what an operation decides on.
struct Locked<'a> {
    root: &'a mut Root,
    shared: &'a Arc<Mutex<Root>>,
    plans: &'a PlanBook,
    /// The later of the clock and the latest instant that anything was decided at: time never
    /// runs backwards.
    now: Timestamp,
}

/// What nobody will ask for again from now on.
pub fn forgettable(now: Timestamp) -> Forget {
    Forget {
        reservations_before: now.minus(REMEMBERED),
        keys_before: now.minus(once::REMEMBERED),
        refusals_before: now.minus(REFUSALS_KEPT),
    }
}

impl<S: Store> Ledger<S> {
    pub fn open(store: Arc<S>) -> std::io::Result<Self> {
        Ok(Self {
            committer: Committer::start(store.clone())?,
            roots: Roots::default(),
            keys: Arc::default(),
            latest: AtomicI64::new(store.last_instant().micros()),
            store,
            refusals_kept: REFUSALS_KEPT,
        })
    }

    /// Keeps refusals for so long; how many there were is kept for ever.
    pub fn keeping_refusals(self, refusals_kept: Duration) -> Self {
        Self { refusals_kept, ..self }
    }

    /// A reservation, in whatever state; `None` if it was never made, or expired more than seven
    /// days ago.
    pub fn reservation(
        &self,
        id: ReservationId,
        clock: Timestamp,
    ) -> Result<Option<Arc<Reservation>>, LedgerError> {
        let now = self.now(clock);
        let found = self.store.reservation(id)?;
        Ok(found.filter(|reservation| !reservation.is_forgotten(now)))
    }

    /// A backup of everything so far. May block.
    pub fn backup(&self) -> Result<Backup<S>, LedgerError> {
        Backup::new(self.store.clone())
    }

    /// What there is to measure.
    pub fn numbers(&self) -> Numbers {
        let counts = self.committer.counts();
        let blocks = self.store.blocks();
        Numbers {
            commits: counts.commits.load(Ordering::Relaxed),
            units: counts.units.load(Ordering::Relaxed),
            commit_time: Duration::from_micros(counts.micros.load(Ordering::Relaxed)),
            roots: self.roots.loaded() as u64,
            blocks: blocks.end - blocks.start,
        }
    }

    /// The store beneath: what others keep in it lies on its shelf.
    pub fn store(&self) -> &Arc<S> {
        &self.store
    }

    /// Work by the clock, to be called every second or so. Without plans, as before any are
    /// known, no billing period is closed. Blocks.
    pub fn tick(&self, plans: Option<&PlanBook>, clock: Timestamp) -> Result<(), LedgerError> {
        let now = self.now(clock);
        if let Some(plans) = plans {
            self.close_periods(plans, now)?;
        }
        self.roots.forget_idle(now, now.minus(IDLE));
        Ok(self.store.maintain(&self.forgettable(now))?)
    }

    /// Resolves once the store has failed: nothing is acknowledged any more.
    pub async fn failure(&self) -> StoreError {
        self.committer.failure().await
    }

    /// Takes nothing more, and returns when everything queued is on disk. Blocks.
    pub fn close(&self, clock: Timestamp) -> Result<(), LedgerError> {
        self.committer.close();
        Ok(self.store.maintain(&self.forgettable(self.now(clock)))?)
    }

    /// Runs `decide` on the prepared levels of `path` until what it decides is on disk.
    async fn run<T>(
        &self,
        path: &SubjectPath,
        plans: &PlanBook,
        clock: Timestamp,
        mut decide: impl FnMut(Locked<'_>) -> Result<Step<T>, LedgerError> + Send,
    ) -> Result<(T, Option<EventId>), LedgerError> {
        let id = path.root();
        loop {
            match self.attempt(&id, path, plans, clock, &mut decide)? {
                Step::Done(answer) => return Ok((answer, None)),
                Step::Wait => self.committer.barrier().await?,
                Step::Queued(answer, outcome) => {
                    if let Some(place) = self.outcome(outcome).await? {
                        return Ok((answer, Some(place)));
                    }
                }
            }
        }
    }

    /// Where a unit is on disk; `None` where somebody else was faster.
    async fn outcome(&self, answer: Answer) -> Result<Option<EventId>, StoreError> {
        let outcome = answer.await.map_err(|_| self.committer.failed())?;
        Ok(outcome?.ok())
    }

    /// One attempt, all of it under the root's lock.
    fn attempt<T>(
        &self,
        id: &RootId,
        path: &SubjectPath,
        plans: &PlanBook,
        clock: Timestamp,
        decide: &mut impl FnMut(Locked<'_>) -> Result<Step<T>, LedgerError>,
    ) -> Result<Step<T>, LedgerError> {
        let shared = self.root(id, clock)?;
        let mut root = shared.lock();
        if self.is_stale(id, &root, &shared) {
            return Ok(Step::Wait);
        }
        let now = self.now(clock);
        for (unit, claim) in root.arrive(&*self.store, path, plans, now)? {
            // Nobody waits for it: what is decided next is committed after it, or conflicts
            // because it did.
            self.committer.note(unit, Some(claim), shared.clone());
        }
        match root.prepare(&*self.store, path, plans, now) {
            Ok(()) => decide(Locked { root: &mut root, shared: &shared, plans, now }),
            Err(NotReady::Wait) => Ok(Step::Wait),
            Err(NotReady::Store(error)) => Err(error.into()),
        }
    }

    /// Whether a root must be loaded anew, which it will be then.
    fn is_stale(&self, id: &RootId, root: &Root, shared: &Arc<Mutex<Root>>) -> bool {
        if root.is_stale() {
            self.roots.forget(id, shared);
        }
        root.is_stale()
    }

    fn root(&self, id: &RootId, clock: Timestamp) -> Result<Arc<Mutex<Root>>, StoreError> {
        self.roots.get(id, clock, || Root::load(&*self.store, id))
    }

    fn now(&self, clock: Timestamp) -> Timestamp {
        let latest = self.latest.fetch_max(clock.micros(), Ordering::Relaxed);
        Timestamp::from_micros(latest.max(clock.micros()))
    }

    fn forgettable(&self, now: Timestamp) -> Forget {
        Forget { refusals_before: now.minus(self.refusals_kept), ..forgettable(now) }
    }

    fn known(&self, id: ReservationId, now: Timestamp) -> Result<Arc<Reservation>, LedgerError> {
        self.reservation(id, now)?.ok_or(LedgerError::UnknownReservation)
    }
}
