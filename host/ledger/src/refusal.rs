//! Refusals: what was asked and not granted. Facts too, so that history can be judged again under
//! other rules.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    Call, Decision, Denial, PeriodId, QuotaName, Snapshot, Timestamp, Usage, Usd,
};

use crate::event::{EventId, place};

/// A reservation that was asked for and refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// With its usage as estimated.
    pub call: Call,
    /// The usage as its caller stated it; `None` where that was all of it.
    pub asked: Option<Usage>,
    /// The estimate; `None` where it is not known, or nobody prices the call.
    pub cost: Option<Usd>,
    /// Where the call stood.
    pub snapshot: Snapshot,
    pub denial: Denial,
    /// The billing period of the level that refused it.
    pub period: PeriodId,
    /// The policy revision that refused it.
    pub revision: String,
}

impl Refusal {
    pub fn at(&self) -> Timestamp {
        self.snapshot.at
    }

    pub fn cause(&self) -> Cause {
        let level = self.snapshot.levels.get(self.denial.level);
        let quota = self.denial.quota.and_then(|at| level?.quotas.get(at));
        Cause { reason: self.denial.reason.clone(), quota: quota.map(|quota| quota.name.clone()) }
    }

    /// The decision, as it was answered.
    pub fn decision(&self) -> Decision {
        Decision { snapshot: self.snapshot.clone(), denial: Some(self.denial.clone()) }
    }
}

/// Why calls are refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cause {
    pub reason: String,
    /// The quota that did not fit, where one is to blame.
    pub quota: Option<QuotaName>,
}

/// How many calls of a level and of those beneath it were refused, by cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalCounts(pub BTreeMap<Cause, u64>);

impl RefusalCounts {
    pub fn count(&mut self, cause: Cause) {
        *self.0.entry(cause).or_default() += 1;
    }

    pub fn add_all(&mut self, other: &Self) {
        for (cause, count) in &other.0 {
            *self.0.entry(cause.clone()).or_default() += count;
        }
    }
}

/// Where a refusal lies among all refusals, in the order in which they were kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefusalId {
    pub block: u64,
    pub index: u32,
}

impl From<EventId> for RefusalId {
    fn from(EventId { block, index }: EventId) -> Self {
        Self { block, index }
    }
}

impl fmt::Display for RefusalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rf-{:x}-{:x}", self.block, self.index)
    }
}

impl FromStr for RefusalId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (block, index) = place(text, "rf-").ok_or(())?;
        Ok(Self { block, index })
    }
}
