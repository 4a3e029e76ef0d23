//! Corrections of events.

use std::sync::Arc;

use tollgate_domain::{Alert, EventKey, PlanBook, Reading, SubjectPath, Timestamp};

use super::{Ledger, LedgerError, Step};
use crate::alert::{Alerted, raised_by};
use crate::correction::{Amendment, Correction, Use};
use crate::event::{Event, EventId, Fingerprint};
use crate::once::Turn;
use crate::root::{Added, Claim};
use crate::store::{Change, Store, Unit};

/// A recorded correction.
#[derive(Debug)]
pub struct Corrected {
    pub id: EventId,
    pub correction: Arc<Correction>,
    /// Those that it raised, as they were raised.
    pub alerts: Vec<Alerted>,
    /// Whether it had been recorded before.
    pub duplicate: bool,
    /// Whether this is the first answer to the same request again.
    pub replayed: bool,
}

/// An event, and what it counts by now.
#[derive(Debug)]
pub struct Counted {
    pub event: Arc<Event>,
    pub used: Use,
}

/// A correction, and its id if it had one before this call.
type Found = (Arc<Correction>, Option<EventId>);

impl<S: Store> Ledger<S> {
    /// What an event counts, all its corrections considered.
    pub fn counted(&self, id: EventId) -> Result<Counted, LedgerError> {
        let event = self.store.event(id)?.ok_or(LedgerError::UnknownEvent)?;
        let used = match self.corrections(id)?.pop() {
            Some(last) => last.correction.amendment.after.clone(),
            None => event.used(),
        };
        Ok(Counted { event, used })
    }

    /// The corrections of an event, in the order in which they were made.
    pub fn corrections(&self, event: EventId) -> Result<Vec<Corrected>, LedgerError> {
        let ids = self.store.corrections_of(event)?.into_iter();
        let corrections = ids.map(|id| {
            let found = self.corrected((self.found_correction(id)?, Some(id)), None)?;
            Ok(Corrected { duplicate: false, ..found })
        });
        corrections.collect()
    }

    /// The correction that a subject's caller gave this name: `None` if there is none, and
    /// [`LedgerError::Contradiction`] if it has other content.
    pub fn corrected_before(
        &self,
        subject: &SubjectPath,
        key: &EventKey,
        fingerprint: &Fingerprint,
    ) -> Result<Option<Corrected>, LedgerError> {
        let Some(id) = self.store.correction_by_key(subject, key)? else { return Ok(None) };
        let correction = self.found_correction(id)?;
        match correction.amendment.fingerprint == *fingerprint {
            true => self.corrected((correction, Some(id)), None).map(Some),
            false => Err(LedgerError::Contradiction),
        }
    }

    /// The correction that a turn's request recorded before.
    pub fn corrected_in(&self, turn: &Turn) -> Result<Option<Corrected>, LedgerError> {
        let Some(id) = turn.done() else { return Ok(None) };
        let found = self.corrected((self.found_correction(id)?, Some(id)), None)?;
        Ok(Some(Corrected { duplicate: false, replayed: true, ..found }))
    }

    /// Records what an event counts from now on. One whose name its subject already has is not
    /// recorded again; where the event was corrected since the amendment was made, it must be
    /// made anew ([`LedgerError::CorrectedMeanwhile`]).
    pub async fn correct(
        &self,
        amendment: &Amendment,
        turn: &Turn,
        plans: &PlanBook,
        clock: Timestamp,
        mut alerts: impl FnMut(&[Reading]) -> Vec<Alert> + Send,
    ) -> Result<Corrected, LedgerError> {
        let event = self.store.event(amendment.corrects)?.ok_or(LedgerError::UnknownEvent)?;
        let report = &event.report;
        let (subject, claim) = (&report.subject, Claim::Correction(report.subject.clone()));
        let corrected = self.run(subject, plans, clock, |locked| {
            if locked.root.is_claimed(&claim) {
                return Ok(Step::Wait);
            }
            let before = self.corrected_before(subject, &amendment.key, &amendment.fingerprint)?;
            if let Some(before) = before {
                return Ok(Step::Done((before.correction, Some(before.id))));
            }
            if self.counted(amendment.corrects)?.used != amendment.before {
                return Err(LedgerError::CorrectedMeanwhile);
            }
            let added = Added {
                subject,
                provider: &report.provider,
                model: report.model.as_ref(),
                occurred_at: report.occurred_at,
                before: Some(&amendment.before),
                usage: &amendment.after.usage,
                cost: amendment.after.cost,
            };
            let effect = locked.root.effect(&added, plans, locked.now);
            let correction = Arc::new(Correction {
                amendment: amendment.clone(),
                event: report.key.clone(),
                subject: subject.clone(),
                provider: report.provider.clone(),
                model: report.model.clone(),
                occurred_at: report.occurred_at,
                period: event.period.clone(),
                recorded_at: locked.now,
                overage: effect.overage,
                raised: effect.raise(locked.now, &mut alerts),
            });
            let unit = locked.root.correct(correction.clone())?;
            let unit = Unit { turn: turn.clone(), ..unit };
            let answer = self.committer.commit(unit, Some(claim.clone()), locked.shared.clone());
            Ok(Step::Queued((correction, None), answer))
        });
        let (found, placed) = corrected.await?;
        self.corrected(found, placed)
    }

    /// Tells what was just recorded from what was before.
    fn corrected(
        &self,
        (correction, before): Found,
        placed: Option<EventId>,
    ) -> Result<Corrected, LedgerError> {
        let id = before.or(placed).unwrap_or_else(|| unreachable!("a new one is always queued"));
        let alerts = raised_by(&*self.store, id, &correction.raised, &correction.period)?;
        Ok(Corrected { id, correction, alerts, duplicate: before.is_some(), replayed: false })
    }

    fn found_correction(&self, id: EventId) -> Result<Arc<Correction>, LedgerError> {
        match self.store.change(id)? {
            Some(Change::Corrected(correction)) => Ok(correction),
            _ => Err(LedgerError::LostEvent(id)),
        }
    }
}
