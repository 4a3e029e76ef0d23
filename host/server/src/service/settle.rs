//! After a reserved call: what was really used.

use std::sync::Arc;

use tollgate_domain::{Metadata, ModelId, Timestamp};
use tollgate_ledger::{Outcome, Recorded, ReservationId, Turn};

use super::rate::{Made, Rated, rate, report};
use super::{Error, Service};

/// What a caller says of a call that was reserved.
pub struct Settlement {
    pub made: Made,
    /// If another one answered than was reserved for.
    pub model: Option<ModelId>,
    /// If other than what came with the reservation.
    pub metadata: Option<Metadata>,
    /// If not when it was reserved.
    pub occurred_at: Option<Timestamp>,
}

impl Service {
    /// Replaces a hold by what was really used.
    pub async fn settle(
        &self,
        id: ReservationId,
        settlement: Settlement,
        turn: Turn,
    ) -> Result<Recorded, Error> {
        if let Some(first) = self.ledger.recorded_before(&turn)? {
            return Ok(first);
        }
        let (set, now) = (self.policy_set()?, self.now());
        let reservation = self.reservation(id)?;
        let set = set.for_subject(&reservation.call.subject);
        let Settlement { made, model, metadata, occurred_at } = settlement;
        let mut call = reservation.call.clone();
        call.model = model.or(call.model);
        call.metadata = metadata.unwrap_or(call.metadata);
        let occurred_at = occurred_at.unwrap_or(reservation.created_at);
        let payer = self.payer(&set, &call.subject).await?;
        let rated = match reservation.outcome {
            Outcome::Open => rate(&set, &payer, call, &made, occurred_at, now)?,
            // The ledger only compares: its answer does not depend on the policies of today.
            Outcome::Settled { .. } | Outcome::Released => {
                Rated { call, cost: None, charges: vec![] }
            }
        };
        let report = Arc::new(report(rated, made, occurred_at, set.revision()));
        let mut alerter = set.alerter();
        let due = |readings: &[_]| alerter.due(readings);
        let recorded = self.ledger.settle(id, &report, &turn, set.plans(), now, due).await?;
        self.unpriced.note(&recorded);
        Ok(recorded)
    }
}
