//! Before a call: check, reserve, release.

use std::sync::Arc;
use std::time::Duration;

use tollgate_domain::{Call, Decision, ExpectedCost, Timestamp, Usage, Usd};
use tollgate_engine::PolicySet;
use tollgate_ledger::{Ask, LedgerError, Reservation, ReservationId, Reserved, Turn};

use super::{Error, Service};

/// What a caller is told of a call that was not made yet.
pub struct Answer {
    pub decision: Decision,
    /// `None` where that is not known, or nobody prices the call.
    pub estimated_cost: Option<Usd>,
    /// The policies that decided.
    pub set: Arc<PolicySet>,
}

impl Service {
    /// Whether the call would fit now.
    pub async fn check(&self, call: Call) -> Result<Answer, Error> {
        self.answer(self.question(call).await?).await
    }

    async fn answer(&self, question: Question) -> Result<Answer, Error> {
        let Question { set, call, asked, cost, now } = question;
        let mut judge = set.judge(&call);
        let (ask, estimated_cost) = (ask(&set, &call, asked.as_ref(), cost), cost.known());
        let judged = |snapshot: &_| judge.evaluate(&call, snapshot, estimated_cost);
        let decision = self.ledger.check(&ask, now, judged).await?;
        Ok(Answer { decision, estimated_cost, set })
    }

    /// The same for a caller who perhaps does not know yet which model will answer: what that costs
    /// is not known then, rather than priced by nobody.
    pub async fn enforce(&self, call: Call) -> Result<Answer, Error> {
        let question = self.question(call).await?;
        let cost = match (&question.call.model, question.cost) {
            (None, ExpectedCost::Unpriced) => ExpectedCost::Unknown,
            (_, cost) => cost,
        };
        self.answer(Question { cost, ..question }).await
    }

    /// Holds what the call will probably use.
    pub async fn reserve(
        &self,
        call: Call,
        time_to_live: Duration,
        turn: Turn,
    ) -> Result<Reserved, Error> {
        if let Some(first) = self.ledger.reserved_before(&turn)? {
            return Ok(first);
        }
        let Question { set, call, asked, cost, now } = self.question(call).await?;
        let mut judge = set.judge(&call);
        let (ask, estimated_cost) = (ask(&set, &call, asked.as_ref(), cost), cost.known());
        let judged = |snapshot: &_| judge.evaluate(&call, snapshot, estimated_cost);
        Ok(self.ledger.reserve(&ask, time_to_live, &turn, now, judged).await?)
    }

    pub fn reservation(&self, id: ReservationId) -> Result<Arc<Reservation>, Error> {
        Ok(self.ledger.reservation(id, self.now())?.ok_or(LedgerError::UnknownReservation)?)
    }

    /// Gives back what was held, unused.
    pub async fn release(&self, id: ReservationId) -> Result<(), Error> {
        let set = self.policy_set_for(&self.reservation(id)?.call.subject)?;
        Ok(self.ledger.release(id, set.plans(), self.now()).await?)
    }

    /// Fills in what the caller left unstated.
    async fn question(&self, mut call: Call) -> Result<Question, Error> {
        let set = self.policy_set_for(&call.subject)?;
        let now = self.now();
        let payer = self.payer(&set, &call.subject).await?;
        let average = self.average(&set, &call).await?;
        let estimate = set.estimate(&call, now, &payer, &average)?;
        let stated = std::mem::replace(&mut call.usage, estimate.usage);
        let asked = (stated != call.usage).then_some(stated);
        Ok(Question { set, call, asked, cost: estimate.cost, now })
    }
}

struct Question {
    set: Arc<PolicySet>,
    /// With its usage as estimated.
    call: Call,
    /// What the caller stated of it, if that was not all.
    asked: Option<Usage>,
    cost: ExpectedCost,
    now: Timestamp,
}

fn ask<'a>(
    set: &'a PolicySet,
    call: &'a Call,
    asked: Option<&'a Usage>,
    cost: ExpectedCost,
) -> Ask<'a> {
    Ask { call, asked, cost, plans: set.plans(), revision: set.revision() }
}
