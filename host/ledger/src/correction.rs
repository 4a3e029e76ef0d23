//! Corrections: facts about facts. An event stays as it was recorded for ever; what it counts is
//! what the last of its corrections says.

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    Charge, EventKey, ModelId, PeriodId, ProviderId, SubjectPath, Timestamp, Usage, Usd,
};

use crate::event::{Event, EventId, Fingerprint, Raised};
use crate::totals::Totals;

/// What an event counts, as recorded or as corrected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    pub usage: Usage,
    /// `None` where nobody prices it.
    pub cost: Option<Usd>,
}

/// A correction, as its caller asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    /// The caller's own name for it.
    pub key: EventKey,
    /// Of the content as it was sent: tells a repetition from a contradiction.
    pub fingerprint: Fingerprint,
    pub corrects: EventId,
    /// What the event counted: the amendment says nothing of an event that was corrected since.
    pub before: Use,
    pub after: Use,
    /// What the cost is made of; empty where the caller gave it.
    pub charges: Vec<Charge>,
    /// Whether the caller gave the cost, over any price list.
    pub cost_given: bool,
    pub reason: Option<String>,
    /// The policy revision that priced it.
    pub revision: String,
}

/// An amendment, and what the ledger found when it recorded it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    pub amendment: Amendment,
    /// What the event's caller calls it.
    pub event: Option<EventKey>,
    /// Of the event, as all that decides where the correction counts.
    pub subject: SubjectPath,
    pub provider: ProviderId,
    pub model: Option<ModelId>,
    pub occurred_at: Timestamp,
    /// The billing period that the event belongs to.
    pub period: PeriodId,
    pub recorded_at: Timestamp,
    /// Whether a hard quota's limit, and its grace, stand passed by it.
    pub overage: bool,
    pub raised: Vec<Raised>,
}

impl Event {
    /// What it counts as recorded.
    pub fn used(&self) -> Use {
        Use { usage: self.report.usage.clone(), cost: self.report.cost }
    }
}

impl Correction {
    /// What the event counted before, and what it counts now.
    pub fn totals(&self) -> [Totals; 2] {
        [&self.amendment.before, &self.amendment.after].map(Totals::of_use)
    }
}
