//! The kinds of policy there are. A new kind is a file in `wit/`, a module here and a case of
//! [`Kind`].

mod adjustment;
mod alert;
mod call;
mod kept;
mod needs;
mod pricing;
mod tier;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use wasmtime::Store;
use wasmtime::component::{Instance as ComponentInstance, InstancePre};

use crate::candidate::AnyPolicy;
use crate::fault::Fault;
use crate::guest_state::GuestState;
use crate::instance::Instance;
use crate::policy::Policy;

pub use adjustment::Payer;
pub(crate) use adjustment::{Adjustments, adjust};
pub(crate) use alert::{Alerts, advise, candidates, due, recommend};
pub use alert::{
    Alternative, Candidate, ModelName, ModelUse, MonthOfUse, Offer, OfferedQuota, Outlook,
    Recommendation,
};
pub(crate) use needs::Needs;
pub(crate) use pricing::{
    Answer, Claim, Pricing, Rates, estimate, extract, learn, learn_price, price,
};
pub use pricing::{Average, Rejected};
pub(crate) use tier::{Tiers, evaluate};

/// What a policy decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PolicyKind)]
pub enum Kind {
    /// What is sold, and to whom a call is granted.
    Tier,
    /// What calls cost.
    Pricing,
    /// When somebody is warned.
    Alert,
    /// What is changed of what calls cost: `kind = "pricing"` with `stage = "adjust"`.
    Adjustment,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Tier, Self::Pricing, Self::Alert, Self::Adjustment];

    /// Those that a manifest names.
    const NAMED: [Self; 3] = [Self::Tier, Self::Pricing, Self::Alert];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tier => "tier",
            Self::Pricing => "pricing",
            Self::Alert => "alert",
            Self::Adjustment => "adjustment",
        }
    }

    /// The interface that a policy of this kind exports beside `lifecycle`.
    pub(crate) fn interface(self) -> &'static str {
        match self {
            Self::Tier => "tiers",
            Self::Pricing => "prices",
            Self::Alert => "alerts",
            Self::Adjustment => "adjustments",
        }
    }
}

impl FromStr for Kind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kind = Self::NAMED.into_iter().find(|kind| kind.as_str() == text);
        kind.ok_or("must be tier, pricing or alert")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A kind of policy as the engine runs it.
pub(crate) trait PolicyKind: Sized + 'static {
    /// Where the functions of the kind's interface are in a component.
    type Indices: Send + Sync;
    /// The functions of one instance.
    type Guest: Send;
    /// What a policy says once, after it was configured.
    type Terms: PartialEq + Send + Sync;
    /// The answers to the test calls.
    type Answers: PartialEq;
    /// What is kept of the answers to calls.
    type Kept: Default + Send + Sync;

    const KIND: Kind;

    fn indices(pre: &InstancePre<GuestState>) -> wasmtime::Result<Self::Indices>;

    fn load(
        indices: &Self::Indices,
        store: &mut Store<GuestState>,
        instance: &ComponentInstance,
    ) -> wasmtime::Result<Self::Guest>;

    fn any(policy: Arc<Policy<Self>>) -> AnyPolicy;

    /// Called once an instance is configured; says what it wishes of the host, in words that
    /// [`Needs`] knows.
    fn configured(_: &mut Self::Guest, _: &mut Store<GuestState>) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn terms(instance: &mut Instance<Self>) -> Result<Self::Terms, Fault>;

    /// Runs the test calls, which touch everything that a policy of these terms is asked for.
    fn probe(instance: &mut Instance<Self>, terms: &Self::Terms) -> Result<Self::Answers, Fault>;
}

/// Whether the plugin exports an interface that a policy of its kind may have besides.
fn exports(pre: &InstancePre<GuestState>, interface: &str) -> bool {
    let component = pre.component();
    let component_type = component.component_type();
    let mut exports = component_type.exports(component.engine());
    exports.any(|(name, _)| {
        let version = name.strip_prefix("tollgate:policy/");
        version.and_then(|name| name.strip_prefix(interface)).is_some_and(|it| it.starts_with('@'))
    })
}
