//! Before a call: check, reserve, release.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tollgate_domain::{
    Call, Decision, Denial, ExpectedCost, Opinion, PeriodId, PlanBook, RootId, Snapshot, SubjectId,
    Timestamp, Usage, decide,
};

use super::{Ledger, LedgerError, Locked, Step};
use crate::once::Turn;
use crate::refusal::{Refusal, RefusalCounts, RefusalId};
use crate::reservation::{Outcome, Reservation, ReservationId};
use crate::root::Claim;
use crate::store::{Change, RefusalFilter, Store, StoreError, Unit};

/// A question: does this call fit?
pub struct Ask<'a> {
    /// With its usage as estimated.
    pub call: &'a Call,
    /// The usage as its caller stated it, if that was not all of it.
    pub asked: Option<&'a Usage>,
    pub cost: ExpectedCost,
    pub plans: &'a PlanBook,
    /// The policy revision that decides.
    pub revision: &'a str,
}

/// What came of asking for a reservation.
#[derive(Debug)]
pub struct Reserved {
    /// Where the call stands: with its own hold, if granted.
    pub decision: Decision,
    /// `None` if refused.
    pub reservation: Option<Arc<Reservation>>,
    /// Whether this is the first answer again.
    pub replayed: bool,
}

impl<S: Store> Ledger<S> {
    /// Whether the call fits now.
    pub async fn check(
        &self,
        ask: &Ask<'_>,
        clock: Timestamp,
        mut judge: impl FnMut(&Snapshot) -> Opinion + Send,
    ) -> Result<Decision, LedgerError> {
        let judged = self.run(&ask.call.subject, ask.plans, clock, |locked| {
            let snapshot = locked.root.snapshot(ask.call, ask.cost, ask.plans, locked.now);
            let opinion = judge(&snapshot);
            Ok(Step::Done(locked.decide(snapshot, opinion)))
        });
        Ok(judged.await?.0)
    }

    /// Holds what the call asks for, on all levels of its path or on none.
    pub async fn reserve(
        &self,
        ask: &Ask<'_>,
        time_to_live: Duration,
        turn: &Turn,
        clock: Timestamp,
        mut judge: impl FnMut(&Snapshot) -> Opinion + Send,
    ) -> Result<Reserved, LedgerError> {
        let subject = &ask.call.subject;
        let reserved = self.run(subject, ask.plans, clock, |locked| {
            let snapshot = locked.root.snapshot(ask.call, ask.cost, ask.plans, locked.now);
            let opinion = judge(&snapshot);
            let decision = locked.decide(snapshot, opinion);
            if let Some(denial) = &decision.denial {
                let refusal = refusal(ask, decision.snapshot.clone(), denial.clone());
                let change = Change::Refused(Arc::new(refusal));
                let unit = Unit { at: locked.now, accounts: vec![], change, turn: Turn::default() };
                // Nothing was granted: the answer need not wait for the note of it.
                self.committer.note(unit, None, locked.shared.clone());
                return Ok(Step::Done(Reserved { decision, reservation: None, replayed: false }));
            }
            let reservation = Arc::new(Reservation {
                id: new_id(&subject.root(), locked.now),
                call: ask.call.clone(),
                asked: ask.asked.cloned(),
                cost: ask.cost.known(),
                created_at: locked.now,
                expires_at: locked.now.plus(time_to_live),
                revision: ask.revision.to_owned(),
                outcome: Outcome::Open,
            });
            let snapshot = Arc::new(decision.snapshot.clone());
            let unit = locked.root.reserve(reservation.clone(), snapshot)?;
            let unit = Unit { turn: turn.clone(), ..unit };
            let answer = self.committer.commit(unit, None, locked.shared.clone());
            let (decision, reservation) = (decision.with_hold(), Some(reservation));
            Ok(Step::Queued(Reserved { decision, reservation, replayed: false }, answer))
        });
        Ok(reserved.await?.0)
    }

    /// What was refused, the newest first. Those of long ago are looked for among all since, on a
    /// thread of its own.
    pub async fn refusals(
        &self,
        which: RefusalFilter,
    ) -> Result<Vec<(RefusalId, Arc<Refusal>)>, LedgerError> {
        self.committer.barrier().await?;
        let store = self.store.clone();
        let found = spawn_blocking(move || store.refusals(&which)).await;
        Ok(found.map_err(|error| StoreError(error.to_string()))??)
    }

    /// How often a level's calls, and those beneath it, were refused, by billing period and cause.
    pub async fn refusal_counts(
        &self,
        subject: &SubjectId,
    ) -> Result<BTreeMap<PeriodId, RefusalCounts>, LedgerError> {
        self.committer.barrier().await?;
        Ok(self.store.refusal_counts(subject)?)
    }

    /// Ends a reservation unused. Releasing twice is releasing once.
    pub async fn release(
        &self,
        id: ReservationId,
        plans: &PlanBook,
        clock: Timestamp,
    ) -> Result<(), LedgerError> {
        let subject = self.known(id, clock)?.call.subject.clone();
        let claim = Claim::Reservation(id);
        let released = self.run(&subject, plans, clock, |locked| {
            if locked.root.is_claimed(&claim) {
                return Ok(Step::Wait);
            }
            let reservation = self.known(id, locked.now)?;
            match reservation.outcome {
                Outcome::Settled { .. } => Err(LedgerError::ReservationSettled),
                Outcome::Released => Ok(Step::Done(())),
                Outcome::Open => {
                    let unit = locked.root.release(reservation, locked.now);
                    let (claim, shared) = (Some(claim.clone()), locked.shared.clone());
                    Ok(Step::Queued((), self.committer.commit(unit, claim, shared)))
                }
            }
        });
        released.await?;
        Ok(())
    }
}

fn refusal(ask: &Ask<'_>, snapshot: Snapshot, denial: Denial) -> Refusal {
    let calendar = snapshot.levels.get(denial.level).map(|level| level.calendar);
    Refusal {
        call: ask.call.clone(),
        asked: ask.asked.cloned(),
        cost: ask.cost.known(),
        period: calendar.unwrap_or_default().period(snapshot.at),
        snapshot,
        denial,
        revision: ask.revision.to_owned(),
    }
}

impl Locked<'_> {
    /// Decides, and tells of what is refused by sliding windows when it would fit them.
    fn decide(&self, snapshot: Snapshot, opinion: Opinion) -> Decision {
        let mut decision = decide(snapshot, opinion);
        if let Some(denial) = &mut decision.denial {
            denial.fits_at = self.root.fits_at(&decision.snapshot);
        }
        decision
    }
}

fn new_id(root: &RootId, now: Timestamp) -> ReservationId {
    ReservationId::new(root, now, fastrand::u64(..))
}
