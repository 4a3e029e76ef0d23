//! Which plan a subject has, and how its months run.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::calendar::{Calendar, Span};
use crate::name::PlanId;
use crate::timestamp::Timestamp;
use crate::window::Window;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    pub plan: PlanId,
    pub status: Status,
    pub billing_cycle: BillingCycle,
    pub calendar: Calendar,
    /// Whether another period follows that which runs: until it is cancelled.
    pub auto_renew: bool,
    /// When this plan was assigned for this cycle, or taken up again after it had been cancelled:
    /// years count from then on.
    pub since: Timestamp,
}

/// Whether a subscription lets its subject call at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SubscriptionStatus)]
pub enum Status {
    Active,
    /// Paused by the operator.
    Suspended,
    /// Ended by the customer.
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BillingCycle {
    Monthly,
    Yearly,
}

impl Subscription {
    /// What runs at an instant and is paid for at once: a month, or a year from the day of the
    /// plan's assignment.
    pub fn term(&self, at: Timestamp) -> Span {
        let month = Window::Month.span(at, &self.calendar);
        let year = match self.billing_cycle {
            BillingCycle::Monthly => None,
            BillingCycle::Yearly => self.calendar.year(self.since, at),
        };
        year.unwrap_or(month)
    }
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for Status {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Active, Self::Suspended, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or("is not a status: active, suspended or cancelled")
    }
}

impl BillingCycle {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        }
    }
}

impl FromStr for BillingCycle {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Monthly, Self::Yearly]
            .into_iter()
            .find(|cycle| cycle.as_str() == text)
            .ok_or("is not a billing cycle: monthly or yearly")
    }
}
