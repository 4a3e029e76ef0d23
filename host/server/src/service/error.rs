//! Why a use case gave no answer.

use tollgate_domain::{PlanId, ProviderId, SubjectId, UsageError};
use tollgate_engine::{ArchiveError, LayError, Rejected, RollbackError};
use tollgate_ledger::LedgerError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no complete set of policies is active")]
    NoPolicies,
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error("lies more than 5 minutes in the future")]
    TooFarAhead,
    /// A policy looked at the call and refuses to say anything about it.
    #[error("{}", .0.message)]
    Rejected(Rejected),
    #[error("no policy knows how {provider} reports usage in its `{flavor}` API")]
    UnknownFlavor { provider: ProviderId, flavor: String },
    #[error("no policy prices {0}")]
    Unpriced(String),
    #[error("there is no plan `{0}`")]
    UnknownPlan(PlanId),
    #[error("{0} has no plan, and there is no default one")]
    NoPlan(SubjectId),
    #[error("{0} has no such event")]
    UnknownEvent(SubjectId),
    #[error("the policy cannot be used: {0}")]
    RefusedPolicy(String),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Rollback(#[from] RollbackError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Lay(LayError),
    #[error("there is no plan `{0}`")]
    NoSuchPlan(PlanId),
    #[error("somebody has the plan `{0}`, or would have it without another")]
    PlanInUse(PlanId),
    #[error("no candidate runs beside a policy `{0}`")]
    NoCandidate(String),
    #[error("no active policy sells plans")]
    NoPlanner,
    #[error("no active policy has prices")]
    NoPricer,
    #[error("the work broke down: {0}")]
    BrokeDown(String),
}

impl From<Rejected> for Error {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}
