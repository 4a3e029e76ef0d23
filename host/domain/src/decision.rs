//! Whether a call fits: the one place where quotas are compared.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::calendar::Calendar;
use crate::name::{PlanId, QuotaName};
use crate::plan::{Meter, Mode, Plan};
use crate::subject::SubjectId;
use crate::subscription::Status;
use crate::timestamp::Timestamp;
use crate::window::Window;

/// The reasons that the host itself gives for a refusal; policies add their own.
pub mod reason {
    pub const QUOTA_EXCEEDED: &str = "quota_exceeded";
    /// The plan does not sell this provider, model or feature.
    pub const NOT_IN_PLAN: &str = "not_in_plan";
    pub const SUBSCRIPTION_INACTIVE: &str = "subscription_inactive";
    /// Nobody prices the model, and a level limits cost.
    pub const UNPRICED: &str = "unpriced";
    /// A policy failed, and its manifest says deny.
    pub const POLICY_ERROR: &str = "policy_error";
}

/// Where a call stands on every level of its path, at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub at: Timestamp,
    /// The widest first.
    pub levels: Vec<LevelState>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelState {
    pub subject: SubjectId,
    pub calendar: Calendar,
    /// Absent where the level only adds up.
    pub plan: Option<PlanId>,
    /// What the plan book says of that plan; absent for a plan that is gone from it, and from
    /// snapshots that were kept.
    #[serde(skip)]
    pub terms: Option<Arc<Plan>>,
    pub status: Status,
    /// The quotas that the call touches.
    pub quotas: Vec<QuotaState>,
}

/// A quota's standing, and what the call asks of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaState {
    pub name: QuotaName,
    pub meter: Meter,
    pub mode: Mode,
    pub window: Window,
    /// `None` for unlimited.
    pub limit: Option<Amount>,
    pub grace_percent: u32,
    pub used: Amount,
    pub reserved: Amount,
    /// What the call adds; `None` where neither the caller nor a policy could say.
    pub requested: Option<Amount>,
    /// Whether it limits cost, and nobody prices the call.
    pub unpriced: bool,
    /// When nothing counts any more that counts now. A sliding window lets go of its use bit by
    /// bit: when the oldest of it leaves; where nothing counts, when that would which is used
    /// now.
    pub resets_at: Option<Timestamp>,
}

impl QuotaState {
    /// What is left; `None` for unlimited. Never below zero.
    pub fn remaining(&self) -> Option<Amount> {
        Some(self.limit?.minus_or_zero(self.used).minus_or_zero(self.reserved))
    }

    /// Whether the limit is passed with what the call asks for.
    pub fn exceeded(&self) -> bool {
        self.limit.is_some_and(|limit| self.asked_total() > limit)
    }

    /// Whether the call fits once so much of what counts is gone. An amount nobody knows fits while
    /// anything is left; a soft quota fits anything.
    pub fn fits_without(&self, gone: Amount) -> bool {
        let (Mode::Hard, Some(limit)) = (self.mode, self.limit) else { return true };
        let bound = limit.plus_percent(self.grace_percent);
        let total = self.asked_total().minus_or_zero(gone);
        match self.requested {
            Some(_) => total <= bound,
            None => total < bound,
        }
    }

    fn refuses(&self) -> bool {
        !self.fits_without(Amount::ZERO)
    }

    fn asked_total(&self) -> Amount {
        let taken = self.used.saturating_add(self.reserved);
        taken.saturating_add(self.requested.unwrap_or_default())
    }
}

/// What the tier policies think of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Opinion {
    pub refusal: Option<Refusal>,
    /// Other limits for this one call.
    pub limits: Vec<EffectiveLimit>,
}

/// A policy's refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// A known [`reason`], or a policy's own word.
    pub reason: String,
    /// For the person who is refused.
    pub message: String,
    /// Which of the levels refuses, by position.
    pub level: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EffectiveLimit {
    /// By position.
    pub level: usize,
    pub quota: QuotaName,
    /// `None` for unlimited.
    pub limit: Option<Amount>,
}

/// The answer to a call: where it stands, and why not if not.
#[derive(Clone, Debug)]
pub struct Decision {
    /// As compared: with the effective limits.
    pub snapshot: Snapshot,
    pub denial: Option<Denial>,
}

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    pub reason: String,
    pub message: String,
    /// Which of the snapshot's levels refuses, by position.
    pub level: usize,
    /// For `quota_exceeded` and `unpriced`: the level's first quota that does not fit, by
    /// position.
    pub quota: Option<usize>,
    /// When enough has left the sliding windows that refuse it for the call to fit, if nothing
    /// else is used until then. `None` where no sliding window refuses it.
    pub fits_at: Option<Timestamp>,
}

impl Decision {
    pub fn allowed(&self) -> bool {
        self.denial.is_none()
    }

    /// The same with the call's own hold counted as reserved.
    pub fn with_hold(mut self) -> Self {
        for quota in self.snapshot.levels.iter_mut().flat_map(|level| &mut level.quotas) {
            let asked = quota.requested.take().unwrap_or_default();
            quota.reserved = quota.reserved.saturating_add(asked);
        }
        self
    }

    /// The level that refuses the call, and its quota where one is to blame; `None` for a call that
    /// is allowed.
    pub fn denied_by(&self) -> Option<(&Denial, &LevelState, Option<&QuotaState>)> {
        let denial = self.denial.as_ref()?;
        let level = self.snapshot.levels.get(denial.level)?;
        Some((denial, level, denial.quota.and_then(|at| level.quotas.get(at))))
    }

    /// The quotas that refuse the call, on all levels.
    pub fn violated(&self) -> impl Iterator<Item = &QuotaState> {
        self.snapshot.levels.iter().flat_map(|level| &level.quotas).filter(|quota| quota.refuses())
    }
}

/// Decides a call: subscriptions first, then what the policies say, then the arithmetic, which
/// no policy can overrule. All levels must agree.
pub fn decide(mut snapshot: Snapshot, opinion: Opinion) -> Decision {
    for change in opinion.limits {
        let quotas = snapshot.levels.get_mut(change.level).map(|level| &mut level.quotas);
        let quota = quotas.and_then(|quotas| quotas.iter_mut().find(|q| q.name == change.quota));
        if let Some(quota) = quota {
            quota.limit = change.limit;
        }
    }
    let denial = inactive(&snapshot)
        .or_else(|| opinion.refusal.map(Denial::from))
        .or_else(|| unpriced(&snapshot))
        .or_else(|| exceeded(&snapshot));
    Decision { snapshot, denial }
}

fn inactive(snapshot: &Snapshot) -> Option<Denial> {
    snapshot.levels.iter().enumerate().find_map(|(level, state)| {
        let plan = state.plan.as_ref()?;
        let (reason, message) = if state.status != Status::Active {
            let status = state.status.as_str();
            (reason::SUBSCRIPTION_INACTIVE, format!("The subscription to {plan} is {status}."))
        } else if state.terms.is_none() {
            (reason::NOT_IN_PLAN, format!("The plan {plan} is not offered any more."))
        } else {
            return None;
        };
        Some(Denial { reason: reason.to_owned(), message, level, quota: None, fits_at: None })
    })
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        let Refusal { reason, message, level } = refusal;
        Self { reason, message, level, quota: None, fits_at: None }
    }
}

fn unpriced(snapshot: &Snapshot) -> Option<Denial> {
    let limits_cost =
        |quota: &QuotaState| quota.unpriced && quota.mode == Mode::Hard && quota.limit.is_some();
    let (level, quota) = position(snapshot, limits_cost)?;
    let message = "Nobody prices this model, and the plan limits cost.".to_owned();
    let reason = reason::UNPRICED.to_owned();
    Some(Denial { reason, message, level, quota: Some(quota), fits_at: None })
}

fn exceeded(snapshot: &Snapshot) -> Option<Denial> {
    let (level, at) = position(snapshot, QuotaState::refuses)?;
    let quota = &snapshot.levels[level].quotas[at];
    let (limit, used, reserved) = (quota.limit.unwrap_or_default(), quota.used, quota.reserved);
    let asked =
        quota.requested.map_or_else(String::new, |n| format!(", and this call asks for {n}"));
    let message = format!(
        "The limit of {limit} on {} is reached: {used} used, {reserved} reserved{asked}.",
        quota.name
    );
    let reason = reason::QUOTA_EXCEEDED.to_owned();
    Some(Denial { reason, message, level, quota: Some(at), fits_at: None })
}

/// The first quota of which `holds` is true: its level and its place there.
fn position(snapshot: &Snapshot, holds: impl Fn(&QuotaState) -> bool) -> Option<(usize, usize)> {
    snapshot
        .levels
        .iter()
        .enumerate()
        .find_map(|(level, state)| Some((level, state.quotas.iter().position(&holds)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(limit: u64, used: u64, reserved: u64, requested: Option<u64>) -> QuotaState {
        QuotaState {
            name: "gemini_calls".parse().unwrap(),
            meter: "calls".parse().unwrap(),
            mode: Mode::Hard,
            window: Window::Month,
            limit: Some(limit.into()),
            grace_percent: 0,
            used: used.into(),
            reserved: reserved.into(),
            requested: requested.map(Amount::from),
            unpriced: false,
            resets_at: None,
        }
    }

    fn on_one_level(quotas: Vec<QuotaState>) -> Snapshot {
        let terms = Plan {
            id: "free".parse().unwrap(),
            name: "Free".into(),
            tier: "free".into(),
            description: String::new(),
            price_monthly: Default::default(),
            price_yearly: Default::default(),
            features: vec![],
            providers: None,
            quotas: vec![],
        };
        let level = LevelState {
            subject: "ann".parse().unwrap(),
            calendar: Calendar::default(),
            plan: Some(terms.id.clone()),
            terms: Some(terms.into()),
            status: Status::Active,
            quotas,
        };
        Snapshot { at: Timestamp::from_micros(0), levels: vec![level] }
    }

    fn reason_for(quotas: Vec<QuotaState>) -> Option<String> {
        decide(on_one_level(quotas), Opinion::default()).denial.map(|denial| denial.reason)
    }

    #[test]
    fn a_call_fits_up_to_the_last_unit_and_not_beyond() {
        assert_eq!(reason_for(vec![quota(100, 97, 2, Some(1))]), None);
        assert_eq!(reason_for(vec![quota(100, 97, 2, Some(2))]), Some("quota_exceeded".into()));
        assert_eq!(reason_for(vec![quota(0, 0, 0, Some(1))]), Some("quota_exceeded".into()));
    }

    #[test]
    fn an_amount_nobody_knows_fits_while_anything_is_left() {
        assert_eq!(reason_for(vec![quota(100, 90, 9, None)]), None);
        assert_eq!(reason_for(vec![quota(100, 90, 10, None)]), Some("quota_exceeded".into()));
    }

    #[test]
    fn grace_lets_a_hard_quota_be_passed_by_its_percentage_and_flags_it() {
        let with_grace = |used| QuotaState { grace_percent: 10, ..quota(100, used, 0, Some(1)) };
        assert_eq!(reason_for(vec![with_grace(109)]), None);
        assert!(with_grace(109).exceeded());
        assert_eq!(reason_for(vec![with_grace(110)]), Some("quota_exceeded".into()));
    }

    #[test]
    fn a_soft_quota_allows_and_flags() {
        let soft = QuotaState { mode: Mode::Soft, ..quota(100, 100, 0, Some(1)) };
        assert!(soft.exceeded());
        assert_eq!(reason_for(vec![soft]), None);
    }

    #[test]
    fn a_limit_on_cost_refuses_what_nobody_prices() {
        let cost = QuotaState { unpriced: true, ..quota(50, 0, 0, None) };
        assert_eq!(reason_for(vec![cost]), Some("unpriced".into()));
    }

    #[test]
    fn a_policy_can_move_a_limit_but_not_the_arithmetic() {
        let opinion = |limit: u64| Opinion {
            refusal: None,
            limits: vec![EffectiveLimit {
                level: 0,
                quota: "gemini_calls".parse().unwrap(),
                limit: Some(limit.into()),
            }],
        };
        let full = || on_one_level(vec![quota(100, 100, 0, Some(1))]);
        assert!(decide(full(), opinion(101)).allowed());
        assert!(!decide(full(), opinion(100)).allowed());
    }

    #[test]
    fn a_suspended_subscription_is_refused_before_any_policy_is_heard() {
        let mut snapshot = on_one_level(vec![]);
        snapshot.levels[0].status = Status::Suspended;
        let denial = decide(snapshot, Opinion::default()).denial.unwrap();
        assert_eq!(denial.reason, "subscription_inactive");
    }

    #[test]
    fn a_plan_that_is_gone_allows_nothing() {
        let mut snapshot = on_one_level(vec![]);
        snapshot.levels[0].terms = None;
        assert!(!decide(snapshot, Opinion::default()).allowed());
    }
}
