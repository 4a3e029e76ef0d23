//! What decides: which policies are in force, and which were.

use tokio::task::{JoinError, spawn_blocking};
use tollgate_engine::{Policies, PolicyStatus, RevisionInfo};

use super::{Error, Service};

impl Service {
    pub fn policy_status(&self) -> PolicyStatus {
        self.policies.status()
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

    /// What was active when, the newest first.
    pub async fn revisions(&self, steps_max: usize) -> Result<Vec<RevisionInfo>, Error> {
        self.with_policies(move |policies| Ok(policies.revisions(steps_max)?)).await
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
