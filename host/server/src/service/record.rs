//! After a call that was not reserved.

use std::sync::Arc;

use tollgate_domain::{Call, EventKey, Span, SubjectPath, Timestamp};
use tollgate_engine::PolicySet;
use tollgate_ledger::{Begun, Recorded, Report, Turn};

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
    report: Arc<Report>,
    turn: Turn,
    /// The policies that priced it, which also decide what it alerts of.
    set: Arc<PolicySet>,
    now: Timestamp,
}

/// A use on its way to the disk.
pub struct Recording {
    rated: RatedUse,
    begun: Begun,
}

impl Service {
    /// Records one use.
    pub async fn record(&self, used: UseReport) -> Result<Recorded, Error> {
        if let Some(first) = self.ledger.recorded_before(&used.turn)? {
            return Ok(first);
        }
        let rated = self.rate_use(used).await?;
        self.record_rated(&rated).await
    }

    /// Prices a use, and changes nothing: uses may be priced on many threads at once.
    pub async fn rate_use(&self, used: UseReport) -> Result<RatedUse, Error> {
        let UseReport { key, call, method, made, occurred_at, turn } = used;
        let (set, now) = (self.policy_set_for(&call.subject)?, self.now());
        let occurred_at = occurred_at.unwrap_or(now);
        let payer = self.payer(&set, &call.subject).await?;
        let rated = rate(&set, &payer, call, &made, occurred_at, now)?;
        let report = report(rated, made, occurred_at, set.revision());
        let report = Arc::new(Report { key, method, ..report });
        Ok(RatedUse { report, turn, set, now })
    }

    /// Records a use that was priced a moment ago: decides on it, and leaves what becomes of it to
    /// be heard later, so that many need not wait for each other. May block.
    pub fn begin_recording(&self, rated: RatedUse) -> Result<Recording, Error> {
        let RatedUse { report, turn, set, now } = &rated;
        let mut alerter = set.alerter();
        let due = |readings: &[_]| alerter.due(readings);
        let begun = self.ledger.begin_record(report, turn, set.plans(), *now, due)?;
        Ok(Recording { rated, begun })
    }

    /// What became of it, once that is on disk.
    pub async fn end_recording(&self, recording: Recording) -> Result<Recorded, Error> {
        let Recording { rated, begun } = recording;
        let Some(recorded) = self.ledger.end_record(begun).await? else {
            return self.record_rated(&rated).await;
        };
        self.unpriced.note(&recorded);
        Ok(recorded)
    }

    async fn record_rated(&self, rated: &RatedUse) -> Result<Recorded, Error> {
        let RatedUse { report, turn, set, now } = rated;
        let mut alerter = set.alerter();
        let due = |readings: &[_]| alerter.due(readings);
        let recorded = self.ledger.record(report, turn, set.plans(), *now, due).await?;
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
