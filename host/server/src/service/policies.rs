//! What decides: which policies are in force, and which were.

use std::time::Duration;

use tokio::task::{JoinError, spawn_blocking};
use tollgate_domain::{ChannelKind, ProviderId};
use tollgate_engine::{
    EngineMetrics, KeptInput, Policies, PolicyMetrics, PolicyStatus, Rejection, RevisionInfo,
    ShadowInfo,
};
use tollgate_ledger::Numbers;

use super::{Error, Service};
use crate::notify::Counted;

/// What is measured, as it is now.
pub struct Measured {
    pub policies: Vec<PolicyMetrics>,
    pub engine: EngineMetrics,
    /// Candidates that are refused now.
    pub refused: Vec<Rejection>,
    pub ledger: Numbers,
    /// Events that nobody priced, by provider; `None` are those without a name of their own.
    pub unpriced: Vec<(Option<ProviderId>, u64)>,
    pub ready: bool,
    /// Notifications since the start.
    pub notifications: Vec<Counted>,
    /// Since when the longest due notification of each kind has been due.
    pub overdue: Vec<(ChannelKind, Duration)>,
}

impl Service {
    pub fn policy_status(&self) -> PolicyStatus {
        self.policies.status()
    }

    /// How the candidate compares that runs beside a policy.
    pub fn shadow(&self, policy: &str) -> Result<ShadowInfo, Error> {
        self.policies.shadow(policy).ok_or_else(|| Error::NoCandidate(policy.to_owned()))
    }

    /// The inputs on which a policy failed last.
    pub fn kept_inputs(&self, policy: &str) -> Vec<KeptInput> {
        self.policies.kept_inputs(policy)
    }

    /// Everything that there is to measure of policies and ledger.
    pub fn measured(&self) -> Measured {
        Measured {
            policies: self.policies.policy_metrics(),
            engine: self.policies.engine_metrics(),
            refused: self.policies.status().rejected,
            ledger: self.ledger.numbers(),
            unpriced: self.unpriced.counts(),
            ready: self.policies.current().is_some(),
            notifications: self.notifier.iter().flat_map(|n| n.counted()).collect(),
            overdue: self.notifier.iter().flat_map(|n| n.overdue()).collect(),
        }
    }

    /// Looks at the policies' folder now. Answers once what is there is active or refused.
    pub async fn reload(&self) -> PolicyStatus {
        // However it ends, the status says what is active.
        if let Err(error) = self.with_policies(|policies| Ok(policies.reload())).await {
            tracing::error!(%error, "the reload broke down");
        }
        self.policies.status()
    }

    /// Goes back to a revision, and stays there until a file's bytes change.
    pub async fn roll_back(&self, revision: String) -> Result<PolicyStatus, Error> {
        self.with_policies(move |policies| Ok(policies.rollback(&revision)?)).await?;
        Ok(self.policies.status())
    }

    /// What was active when, the newest first: the steps before one, or all. Also tells whether
    /// there are older ones.
    pub async fn revisions(
        &self,
        before: Option<u64>,
        steps_max: usize,
    ) -> Result<(Vec<RevisionInfo>, bool), Error> {
        let one_more = steps_max.saturating_add(1);
        let steps =
            self.with_policies(move |policies| Ok(policies.revisions(before, one_more)?)).await;
        let mut steps = steps?;
        let has_more = steps.len() > steps_max;
        steps.truncate(steps_max);
        Ok((steps, has_more))
    }

    /// Works with the policies where nobody waits for it: compiling takes its time.
    pub(super) async fn with_policies<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Policies) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let policies = self.policies.clone();
        let done = spawn_blocking(move || work(&policies)).await;
        done.map_err(|error: JoinError| Error::BrokeDown(error.to_string()))?
    }
}
