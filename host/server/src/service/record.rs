//! After a call that was not reserved.

use std::sync::Arc;

use tollgate_domain::{Call, EventKey, Span, SubjectPath, Timestamp};
use tollgate_engine::PolicySet;
use tollgate_ledger::{Recorded, Report, Turn};

use super::rate::{Made, rate, report};
use super::{Error, Service};
use crate::app::Events;

/// What a caller says of a call that was not reserved.
pub struct UseReport {
    /// The caller's own name for the event.
    pub key: Option<EventKey>,
    /// Its usage is what `made` says.
    pub call: Call,
    pub method: Option<String>,
    pub made: Made,
    /// If not now.
    pub occurred_at: Option<Timestamp>,
    /// Of the request that says it.
    pub turn: Turn,
}

/// A use with its price, to be recorded.
pub struct RatedUse {
    report: Report,
    turn: Turn,
    /// The policies that priced it, which also decide what it alerts of.
    set: Arc<PolicySet>,
    now: Timestamp,
}

impl Service {
    /// Records one use.
    pub async fn record(&self, used: UseReport) -> Result<Recorded, Error> {
        if let Some(first) = self.ledger.recorded_before(&used.turn)? {
            return Ok(first);
        }
        let rated = self.rate_use(used).await?;
        self.record_rated(rated).await
    }

    /// Prices a use, and changes nothing: uses may be priced on many threads at once.
    pub async fn rate_use(&self, used: UseReport) -> Result<RatedUse, Error> {
        let UseReport { key, call, method, made, occurred_at, turn } = used;
        let (set, now) = (self.policy_set_for(&call.subject)?, self.now());
        let occurred_at = occurred_at.unwrap_or(now);
        let payer = self.payer(&set, &call.subject).await?;
        let rated = rate(&set, &payer, call, &made, occurred_at, now)?;
        let report = report(rated, made, occurred_at, set.revision());
        Ok(RatedUse { report: Report { key, method, ..report }, turn, set, now })
    }

    /// Records a use that was priced a moment ago.
    pub async fn record_rated(&self, rated: RatedUse) -> Result<Recorded, Error> {
        let RatedUse { report, turn, set, now } = rated;
        let mut alerter = set.alerter();
        let due = |readings: &[_]| alerter.due(readings);
        let recorded = self.ledger.record(&report, &turn, set.plans(), now, due).await?;
        self.unpriced.note(&recorded);
        Ok(recorded)
    }

    /// All events so far that occurred in a span. May block, as reading them may.
    pub fn events(&self, span: Span) -> Events {
        self.ledger.events(span)
    }

    /// An event, by its caller's name for it or by its own id.
    pub fn event(&self, subject: SubjectPath, name: &str) -> Result<Recorded, Error> {
        self.ledger.event(&subject, name)?.ok_or(Error::UnknownEvent(subject))
    }
}
