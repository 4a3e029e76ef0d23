//! What an operator can see of the policies.

use std::collections::BTreeMap;

use serde::Serialize;
use tollgate_domain::Timestamp;
use utoipa::ToSchema;

use crate::Kind;
use crate::history::{Cause, HistoryStep, Member};
use crate::policy::Card;

/// What is active, and what is not and why.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PolicyStatus {
    /// `None` while there is no complete set.
    #[schema(required)]
    pub revision: Option<String>,
    #[schema(required)]
    pub activated_at: Option<Timestamp>,
    pub policies: Vec<PolicyInfo>,
    pub rejected: Vec<Rejection>,
    /// Plugins in the folder that no manifest names.
    pub spare: Vec<SparePlugin>,
}

/// A plugin that waits for a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SparePlugin {
    pub file: String,
    /// SHA-256, in hexadecimal.
    pub plugin_digest: String,
    /// What it is for; `None` where it is nothing that this host could run.
    #[schema(required)]
    pub kind: Option<Kind>,
    /// The version of the interface that it was built against.
    #[schema(required)]
    pub api_version: Option<String>,
    /// Why it could not be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// An active policy.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PolicyInfo {
    pub name: String,
    pub kind: Kind,
    /// Of the policy: what logs and metrics call this version of it.
    pub revision: String,
    /// SHA-256 of the `.wasm`, in hexadecimal.
    pub plugin_digest: String,
    /// SHA-256 of the manifest and of the documents laid over it, in hexadecimal.
    pub config_digest: String,
    /// How many documents are laid over its configuration.
    pub documents: usize,
    /// The version of the interface that the plugin was built against.
    pub api_version: String,
    /// `active`, `shadow` or `canary`.
    pub state: &'static str,
    /// Since when this very version of the policy is active.
    #[schema(required)]
    pub activated_at: Option<Timestamp>,
    pub calls: u64,
    pub faults: u64,
    /// The faults that happened, by kind: `out_of_fuel`, `deadline`, `memory`, `trap`,
    /// `bad_output`, and `unavailable` where the host was at fault.
    pub faults_by_kind: BTreeMap<&'static str, u64>,
    /// In microseconds, rounded up; 0 before the first call.
    pub p50_us: u64,
    pub p99_us: u64,
}

/// A policy that is in the folder and not, or not in this version, active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RejectedPolicy)]
pub struct Rejection {
    /// The policy's name, or `*` for what concerns the set as a whole.
    pub name: String,
    /// The first stage that was not reached: `verified`, `inspected`, `compiled`, `linked`,
    /// `probed` or `active`.
    pub step: &'static str,
    pub reason: String,
    /// A few digits of a digest of what lies in the folder; `None` where nothing does.
    #[schema(required)]
    pub revision: Option<String>,
    /// When it was first refused for this reason.
    pub seen_at: Timestamp,
}

/// A step of the history: what became active, when and why.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RevisionInfo {
    /// Steps are counted from 0; a revision that was gone back to has several.
    pub step: u64,
    pub revision: String,
    pub activated_at: Timestamp,
    /// `folder`, `rollback`, `document` or `faults`.
    pub cause: Cause,
    /// What there is to say beyond the cause.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    pub active: bool,
    /// Policies whose files in the folder were held back then.
    pub held: Vec<String>,
    pub policies: Vec<RevisionMember>,
}

/// A policy as it was in a revision.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RevisionMember {
    pub name: String,
    pub kind: String,
    pub plugin_digest: String,
    pub config_digest: String,
    /// How many documents were laid over it.
    pub documents: usize,
}

impl RevisionInfo {
    pub(crate) fn new(number: u64, step: HistoryStep, members: &[Member], active: bool) -> Self {
        let policies = members.iter().map(|member| RevisionMember {
            name: member.name.clone(),
            kind: member.kind.clone(),
            plugin_digest: member.plugin_digest.to_string(),
            config_digest: member.config_digest.to_string(),
            documents: member.documents.len(),
        });
        Self {
            step: number,
            revision: step.revision,
            activated_at: step.at,
            cause: step.cause,
            reason: step.reason,
            active,
            held: step.orders.holds.into_keys().collect(),
            policies: policies.collect(),
        }
    }
}

impl PolicyInfo {
    pub(crate) fn new(card: &Card) -> Self {
        let faults_by_kind = card.stats.faults();
        Self {
            name: card.manifest.name.clone(),
            kind: card.manifest.kind,
            revision: card.revision(),
            plugin_digest: card.plugin.digest.to_string(),
            config_digest: card.manifest.digest.to_string(),
            documents: card.manifest.made_of.documents.len(),
            api_version: card.plugin.api_version.clone(),
            state: card.manifest.rollout.as_str(),
            activated_at: card.activated_at.get().copied(),
            calls: card.stats.calls(),
            faults: faults_by_kind.values().sum(),
            faults_by_kind,
            p50_us: card.stats.percentile_us(50),
            p99_us: card.stats.percentile_us(99),
        }
    }
}
