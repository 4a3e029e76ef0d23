//! Events: one recorded use each. Never changed, never refused because a quota is full.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tollgate_domain::{
    Alert, Charge, EndpointName, EventKey, Metadata, ModelId, PeriodId, ProviderId, SubjectPath,
    Timestamp, Usage, Usd,
};

use crate::reservation::ReservationId;

/// What a caller reports of a call that was made, and what it cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The caller's own name for the event.
    pub key: Option<EventKey>,
    /// Of the content as it was sent: tells a repetition from a contradiction.
    pub fingerprint: Fingerprint,
    pub subject: SubjectPath,
    pub provider: ProviderId,
    pub model: Option<ModelId>,
    pub endpoint: Option<EndpointName>,
    /// The HTTP method of the caller's own endpoint.
    pub method: Option<String>,
    /// The provider's service tier and region, which prices may depend on.
    pub service_tier: Option<String>,
    pub region: Option<String>,
    pub usage: Usage,
    /// `None` where nobody prices the call.
    pub cost: Option<Usd>,
    /// Whether the caller gave the cost, over any price list.
    pub cost_given: bool,
    pub charges: Vec<Charge>,
    pub response_time_ms: Option<u64>,
    pub status_code: Option<u16>,
    pub error: Option<String>,
    pub request_id: Option<String>,
    pub metadata: Metadata,
    pub occurred_at: Timestamp,
    /// The policy revision that priced it.
    pub revision: String,
}

impl Report {
    /// Whether the call it reports failed.
    pub fn failed(&self) -> bool {
        self.error.is_some() || self.status_code.is_some_and(|code| code >= 400)
    }
}

/// A report, and what the ledger found when it recorded it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub report: Arc<Report>,
    pub recorded_at: Timestamp,
    /// The billing period that it belongs to.
    pub period: PeriodId,
    /// The reservation that it settles.
    pub reservation: Option<ReservationId>,
    /// Whether that reservation had expired.
    pub late: bool,
    /// Whether a hard quota's limit, and its grace, stand passed by it.
    pub overage: bool,
    pub raised: Vec<Raised>,
}

/// An alert that an event raised, or a correction, or a change of plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    pub alert: Alert,
    /// The quota's window: an alert is raised once in it. For a sliding one, its length from
    /// `raised_at` on.
    pub window_start: Timestamp,
    pub window_end: Option<Timestamp>,
    pub raised_at: Timestamp,
}

/// Where an event lies in the ledger, which is its own id: the block and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId {
    pub block: u64,
    pub index: u32,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ev-{:x}-{:x}", self.block, self.index)
    }
}

impl FromStr for EventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (block, index) = place(text, "ev-").ok_or(())?;
        Ok(Self { block, index })
    }
}

/// The block and the place in it that a text names after a prefix.
pub(crate) fn place(text: &str, prefix: &str) -> Option<(u64, u32)> {
    let (block, index) = text.strip_prefix(prefix)?.split_once('-')?;
    Some((u64::from_str_radix(block, 16).ok()?, u32::from_str_radix(index, 16).ok()?))
}

/// The first 128 bits of the SHA-256 of some content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Of a content that nobody will be compared with.
    pub const NONE: Self = Self([0; 16]);

    pub fn of(content: &[u8]) -> Self {
        let digest = Sha256::digest(content);
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Self(first)
    }

    pub(crate) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}
