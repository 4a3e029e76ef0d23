//! Policies that say what is sold, and to whom a call is granted.

pub use crate::bindings::tier::exports::tollgate::policy::tiers::{
    EffectiveLimit, Level, Plan, Quota, QuotaDefinition, Refusal, Verdict,
};

use crate::bindings::tier::exports::tollgate::policy::tiers::Guest;
use crate::bindings::tier::exports::tollgate::policy::verdict_scope::Guest as ScopeGuest;
use crate::export::{self, Slot};
use crate::{Call, Policy};

/// A policy that defines plans, or grants and refuses calls, or both.
pub trait TierPolicy: Policy {
    /// The plans that this policy defines; none unless it says otherwise.
    fn plans(&self) -> Vec<Plan> {
        Vec::new()
    }

    /// The opinion on a call, given the plans in force on each level of the subject's path.
    ///
    /// The host compares what is used with the limits itself: a policy says what it has against a
    /// call, and [`Verdict::allow`] otherwise.
    fn evaluate(&self, call: &Call, levels: &[Level]) -> Verdict {
        let _ = (call, levels);
        Verdict::allow()
    }

    /// What verdicts depend on, if on nothing but some of `provider`, `model`, `plan`, `features`,
    /// `service-tier` and `region`. The policy is then shown nothing else, and the host keeps its
    /// verdicts instead of asking each time. Empty unless it says otherwise: asked each time.
    fn depends_on(&self) -> Vec<&'static str> {
        Vec::new()
    }
}

impl Verdict {
    /// Nothing against the call.
    pub fn allow() -> Self {
        Self { refusal: None, limits: Vec::new() }
    }

    /// The level at this position refuses the call. The reason is a word for programs, the
    /// message is for the person who is refused.
    pub fn refuse(level: u32, reason: &str, message: impl Into<String>) -> Self {
        let refusal = Refusal { reason: reason.into(), message: message.into(), level };
        Self { refusal: Some(refusal), limits: Vec::new() }
    }
}

/// Exports a [`TierPolicy`] as the component's policy.
#[macro_export]
macro_rules! export_tier {
    ($policy:ty) => {
        $crate::__export!($policy, tier);
    };
}

impl<S: Slot<Policy: TierPolicy>> Guest for S {
    fn plans() -> Vec<Plan> {
        export::policy::<S>().plans()
    }

    fn evaluate(call: Call, levels: Vec<Level>) -> Verdict {
        export::policy::<S>().evaluate(&call, &levels)
    }
}

impl<S: Slot<Policy: TierPolicy>> ScopeGuest for S {
    fn depends_on() -> Vec<String> {
        export::policy::<S>().depends_on().into_iter().map(String::from).collect()
    }
}
