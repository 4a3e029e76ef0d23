//! How a decision is written.

use serde::{Serialize, Serializer};
use tollgate_domain::{
    Amount, Decision, Mode, PlanId, QuotaName, SubjectId, Timestamp, Usd, Window,
};
use utoipa::ToSchema;

/// The answer to a check; a reservation's answer has it too.
#[derive(Serialize, ToSchema)]
pub struct Verdict<'a> {
    allowed: bool,
    #[schema(required)]
    estimated_cost: Option<Usd>,
    quotas: Vec<Standing<'a>>,
    #[schema(required)]
    denied: Option<Denied<'a>>,
    revision: &'a str,
}

/// Where a call stands on one quota of one level.
#[derive(Serialize, ToSchema)]
#[schema(as = QuotaStanding)]
struct Standing<'a> {
    subject: &'a SubjectId,
    #[schema(required)]
    plan: Option<&'a PlanId>,
    name: &'a QuotaName,
    #[schema(value_type = Mode)]
    mode: &'static str,
    #[serde(serialize_with = "name")]
    window: Window,
    #[schema(required)]
    limit: Option<Amount>,
    used: Amount,
    reserved: Amount,
    #[schema(required)]
    remaining: Option<Amount>,
    exceeded: bool,
    #[schema(required)]
    resets_at: Option<Timestamp>,
}

/// Why a call was refused; what is about a quota is null where none is to blame.
#[derive(Serialize, ToSchema)]
pub struct Denied<'a> {
    pub reason: &'a str,
    #[schema(required)]
    quota: Option<&'a QuotaName>,
    subject: &'a SubjectId,
    #[schema(required)]
    plan: Option<&'a PlanId>,
    pub message: &'a str,
    #[schema(required)]
    limit: Option<Amount>,
    #[schema(required)]
    used: Option<Amount>,
    #[schema(required)]
    reserved: Option<Amount>,
    #[schema(required)]
    requested: Option<Amount>,
    #[schema(required)]
    resets_at: Option<Timestamp>,
}

impl<'a> Verdict<'a> {
    pub fn new(decision: &'a Decision, estimated_cost: Option<Usd>, revision: &'a str) -> Self {
        let levels = decision.snapshot.levels.iter();
        let quotas = levels.flat_map(|level| {
            level.quotas.iter().map(|quota| Standing {
                subject: &level.subject,
                plan: level.plan.as_ref(),
                name: &quota.name,
                mode: quota.mode.as_str(),
                window: quota.window,
                limit: quota.limit,
                used: quota.used,
                reserved: quota.reserved,
                remaining: quota.remaining(),
                exceeded: quota.exceeded(),
                resets_at: quota.resets_at,
            })
        });
        Self {
            allowed: decision.allowed(),
            estimated_cost,
            quotas: quotas.collect(),
            denied: Denied::new(decision),
            revision,
        }
    }
}

impl<'a> Denied<'a> {
    /// `None` for a call that is allowed.
    pub fn new(decision: &'a Decision) -> Option<Self> {
        let (denial, level, quota) = decision.denied_by()?;
        Some(Self {
            reason: &denial.reason,
            quota: quota.map(|quota| &quota.name),
            subject: &level.subject,
            plan: level.plan.as_ref(),
            message: &denial.message,
            limit: quota.and_then(|quota| quota.limit),
            used: quota.map(|quota| quota.used),
            reserved: quota.map(|quota| quota.reserved),
            requested: quota.and_then(|quota| quota.requested),
            resets_at: quota.and_then(|quota| quota.resets_at),
        })
    }
}

fn name<S: Serializer>(window: &Window, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(window)
}
