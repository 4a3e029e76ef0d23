//! Requests under idempotency keys: whose turn it is, and what was answered the first time.

use std::time::Duration;

use tollgate_domain::{Decision, Timestamp};

use super::{Ledger, LedgerError, Recorded, Reserved};
use crate::once::{Once, Turn};
use crate::store::{Change, Store};

/// How long a key is remembered.
pub(super) const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

impl<S: Store> Ledger<S> {
    /// Takes a request's turn under its key. Whoever has it asks first whether
    /// [`reserved_before`](Self::reserved_before) or [`recorded_before`](Self::recorded_before)
    /// has an answer, and acts only if not.
    pub fn turn(&self, once: Once, clock: Timestamp) -> Result<Turn, LedgerError> {
        // Claimed before it is looked up: what another does under the key is on disk or fails
        // before that one's claim ends.
        let claim = self.keys.claim(once.key).ok_or(LedgerError::KeyUnderWay)?;
        let done = self.store.marked(&once.key, self.now(clock).minus(REMEMBERED))?;
        match done.iter().all(|marked| marked.mark.once == once) {
            true => Ok(Turn::new(once, claim, done)),
            false => Err(LedgerError::KeyReused),
        }
    }

    /// What a turn's request was granted before.
    pub fn reserved_before(&self, turn: &Turn) -> Result<Option<Reserved>, LedgerError> {
        let Some(id) = turn.done() else { return Ok(None) };
        let Some(Change::Reserved { reservation, snapshot }) = self.store.change(id)? else {
            return Err(LedgerError::LostEvent(id));
        };
        let decision = Decision { snapshot: snapshot.as_ref().clone(), denial: None };
        Ok(Some(Reserved {
            decision: decision.with_hold(),
            reservation: Some(reservation),
            replayed: true,
        }))
    }

    /// The event that a turn's request recorded before, as a reservation's settlement or alone.
    pub fn recorded_before(&self, turn: &Turn) -> Result<Option<Recorded>, LedgerError> {
        let Some(id) = turn.done() else { return Ok(None) };
        let recorded = self.recorded((self.found(id)?, None))?;
        Ok(Some(Recorded { duplicate: false, replayed: true, ..recorded }))
    }
}
