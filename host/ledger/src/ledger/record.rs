//! After a call: settle what was reserved, record what was not.

use std::sync::Arc;

use tollgate_domain::{Alert, EventKey, PlanBook, Reading, Span, SubjectPath, Timestamp};

use super::{Ledger, LedgerError, Locked, Step};
use crate::alert::{Alerted, raised_by};
use crate::committer::{Answer, wait};
use crate::event::{Event, EventId, Report};
use crate::events::Events;
use crate::once::Turn;
use crate::reservation::{Outcome, Reservation, ReservationId, State};
use crate::root::{Added, Claim};
use crate::store::{Store, Unit};

/// A recorded event.
#[derive(Debug)]
pub struct Recorded {
    pub id: EventId,
    pub event: Arc<Event>,
    /// Those that it raised, as they were raised.
    pub alerts: Vec<Alerted>,
    /// Whether it had been recorded before.
    pub duplicate: bool,
    /// Whether this is the first answer to the same request again.
    pub replayed: bool,
}

/// An event, and its id if it had one before this call.
pub(super) type Found = (Arc<Event>, Option<EventId>);

/// A use that was decided on: what became of it is heard later.
pub struct Begun(Beginning);

enum Beginning {
    /// Recorded before.
    Found(Found),
    Queued(Found, Answer),
    /// One of the same name is on its way.
    Undecided,
}

impl<S: Store> Ledger<S> {
    /// Replaces a hold by what was really used. A hold that has expired is settled late. The
    /// same report again gives the same answer. `report.subject` is the reservation's.
    pub async fn settle(
        &self,
        id: ReservationId,
        report: &Arc<Report>,
        turn: &Turn,
        plans: &PlanBook,
        clock: Timestamp,
        mut alerts: impl FnMut(&[Reading]) -> Vec<Alert> + Send,
    ) -> Result<Recorded, LedgerError> {
        let claim = Claim::Reservation(id);
        let settled = self.run(&report.subject, plans, clock, |locked| {
            if locked.root.is_claimed(&claim) {
                return Ok(Step::Wait);
            }
            let reservation = self.known(id, locked.now)?;
            match reservation.outcome {
                Outcome::Released => Err(LedgerError::ReservationReleased),
                Outcome::Settled { fingerprint, .. } if fingerprint != report.fingerprint => {
                    Err(LedgerError::Contradiction)
                }
                Outcome::Settled { event, .. } => Ok(Step::Done(self.found(event)?)),
                Outcome::Open => {
                    let claim = Some(claim.clone());
                    self.append(locked, report, turn, Some(reservation), claim, &mut alerts)
                }
            }
        });
        self.recorded(settled.await?)
    }

    /// Records a use that was not reserved. An event whose name its subject already has is not
    /// recorded again.
    pub async fn record(
        &self,
        report: &Arc<Report>,
        turn: &Turn,
        plans: &PlanBook,
        clock: Timestamp,
        mut alerts: impl FnMut(&[Reading]) -> Vec<Alert> + Send,
    ) -> Result<Recorded, LedgerError> {
        let claim = claim_of(report);
        let recorded_event = self.run(&report.subject, plans, clock, |locked| {
            if claim.as_ref().is_some_and(|claim| locked.root.is_claimed(claim)) {
                return Ok(Step::Wait);
            }
            self.append_once(locked, report, turn, &claim, &mut alerts)
        });
        self.recorded(recorded_event.await?)
    }

    /// The first half of [`record`](Self::record), for whoever records many: decides on a use, and
    /// leaves what becomes of it to be heard later. Blocks where something else must be on disk
    /// before.
    pub fn begin_record(
        &self,
        report: &Arc<Report>,
        turn: &Turn,
        plans: &PlanBook,
        clock: Timestamp,
        mut alerts: impl FnMut(&[Reading]) -> Vec<Alert>,
    ) -> Result<Begun, LedgerError> {
        let (id, claim) = (report.subject.root(), claim_of(report));
        let mut decide = |locked: Locked<'_>| {
            if claim.as_ref().is_some_and(|claim| locked.root.is_claimed(claim)) {
                return Ok(Step::Done(None));
            }
            Ok(self.append_once(locked, report, turn, &claim, &mut alerts)?.map(Some))
        };
        loop {
            match self.attempt(&id, &report.subject, plans, clock, &mut decide)? {
                Step::Done(Some(found)) => return Ok(Begun(Beginning::Found(found))),
                Step::Queued(Some(found), answer) => {
                    return Ok(Begun(Beginning::Queued(found, answer)));
                }
                Step::Done(None) | Step::Queued(None, _) => return Ok(Begun(Beginning::Undecided)),
                Step::Wait => wait(self.committer.barrier())?,
            }
        }
    }

    /// The second half: what became of it, once that is on disk. `None` where it must be recorded
    /// anew: another use of its name had to come first, or another host was faster.
    pub async fn end_record(&self, begun: Begun) -> Result<Option<Recorded>, LedgerError> {
        let (found, place) = match begun.0 {
            Beginning::Found(found) => (found, None),
            Beginning::Queued(found, answer) => match self.outcome(answer).await? {
                Some(place) => (found, Some(place)),
                None => return Ok(None),
            },
            Beginning::Undecided => return Ok(None),
        };
        self.recorded((found, place)).map(Some)
    }

    /// An event by its caller's name for it, or by its own id.
    pub fn event(
        &self,
        subject: &SubjectPath,
        name: &str,
    ) -> Result<Option<Recorded>, LedgerError> {
        let named = match name.parse::<EventKey>() {
            Ok(key) => self.store.event_by_key(subject, &key)?,
            Err(_) => None,
        };
        let Some(id) = named.or_else(|| name.parse().ok()) else { return Ok(None) };
        let event = self.store.event(id)?.filter(|event| event.report.subject == *subject);
        event.map(|event| self.recorded(((event, Some(id)), None))).transpose()
    }

    /// All events so far that occurred in a span. May block.
    pub fn events(&self, span: Span) -> Events<S> {
        Events::new(self.store.clone(), span)
    }

    /// The event of this name that was recorded before, or else a new one, queued.
    fn append_once(
        &self,
        locked: Locked<'_>,
        report: &Arc<Report>,
        turn: &Turn,
        claim: &Option<Claim>,
        alerts: &mut impl FnMut(&[Reading]) -> Vec<Alert>,
    ) -> Result<Step<Found>, LedgerError> {
        if let Some(key) = &report.key
            && let Some(id) = self.store.event_by_key(&report.subject, key)?
        {
            let found = self.found(id)?;
            return match found.0.report.fingerprint == report.fingerprint {
                true => Ok(Step::Done(found)),
                false => Err(LedgerError::Contradiction),
            };
        }
        self.append(locked, report, turn, None, claim.clone(), alerts)
    }

    /// Completes a report to an event and queues it.
    fn append(
        &self,
        locked: Locked<'_>,
        report: &Arc<Report>,
        turn: &Turn,
        settles: Option<Arc<Reservation>>,
        claim: Option<Claim>,
        alerts: &mut impl FnMut(&[Reading]) -> Vec<Alert>,
    ) -> Result<Step<Found>, LedgerError> {
        let Locked { root, shared, plans, now } = locked;
        let late = settles.as_ref().is_some_and(|hold| hold.state(now) == State::Expired);
        let added = Added {
            subject: &report.subject,
            provider: &report.provider,
            model: report.model.as_ref(),
            occurred_at: report.occurred_at,
            before: None,
            usage: &report.usage,
            cost: report.cost,
        };
        let effect = root.effect(&added, plans, now);
        let event = Event {
            report: report.clone(),
            recorded_at: now,
            overage: effect.overage,
            raised: effect.raise(now, alerts),
            period: effect.period,
            reservation: settles.as_ref().map(|hold| hold.id),
            late,
        };
        let event = Arc::new(event);
        let unit = root.record(event.clone(), settles)?;
        let unit = Unit { turn: turn.clone(), ..unit };
        let answer = self.committer.commit(unit, claim, shared.clone());
        Ok(Step::Queued((event, None), answer))
    }

    pub(super) fn found(&self, id: EventId) -> Result<Found, LedgerError> {
        match self.store.event(id)? {
            Some(event) => Ok((event, Some(id))),
            None => Err(LedgerError::LostEvent(id)),
        }
    }

    /// Tells what was just recorded from what was before.
    pub(super) fn recorded(
        &self,
        ((event, before), placed): (Found, Option<EventId>),
    ) -> Result<Recorded, LedgerError> {
        let id = before.or(placed).unwrap_or_else(|| unreachable!("a new event is always queued"));
        let alerts = raised_by(&*self.store, id, &event.raised, &event.period)?;
        Ok(Recorded { id, event, alerts, duplicate: before.is_some(), replayed: false })
    }
}

/// What nobody else may decide meanwhile.
fn claim_of(report: &Report) -> Option<Claim> {
    let key = report.key.clone()?;
    Some(Claim::Event(report.subject.clone(), key))
}
