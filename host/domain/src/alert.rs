//! Warnings that somebody nears or has reached a limit.

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::name::{PlanId, ProviderId, QuotaName};
use crate::plan::Meter;
use crate::subject::SubjectId;
use crate::window::Window;

/// A limited quota's standing before and after something was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    pub subject: SubjectId,
    pub plan: PlanId,
    pub quota: QuotaName,
    pub meter: Meter,
    /// The provider, where the quota counts exactly one.
    pub provider: Option<ProviderId>,
    pub window: Window,
    /// Never zero.
    pub limit: Amount,
    pub before: Amount,
    pub after: Amount,
    /// The thresholds, in percent, that were raised in this window already.
    pub raised: Vec<u32>,
}

/// A warning, raised once per subject, quota, limit value, threshold and window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    pub subject: SubjectId,
    pub quota: QuotaName,
    /// The provider, where the quota counts exactly one.
    pub provider: Option<ProviderId>,
    /// The limit that it warns of.
    pub limit: Amount,
    /// In percent of the limit.
    pub threshold: u32,
    /// `usage_warning`, `limit_reached`, `cost_warning`, `cost_limit_reached`, …
    pub kind: String,
    /// `info`, `warning` or `error`.
    pub severity: String,
    pub title: String,
    pub message: String,
}
