//! Plans, and who has which.

use std::sync::Arc;

use tollgate_domain::{Plan, PlanBook, Span, Status, SubjectId, Subscription, Timestamp};
use tollgate_ledger::SubscriptionChange;

use super::{Error, Service};

/// A subscription in force.
pub struct Subscribed {
    pub subject: SubjectId,
    pub subscription: Subscription,
    /// What the plan book says of its plan; `None` for a plan that is gone from it.
    pub plan: Option<Arc<Plan>>,
    /// What runs now and is paid for at once.
    pub period: Span,
}

/// How a level's own subscription was changed.
pub struct Changed {
    pub at: Timestamp,
    pub how: How,
    /// What it became.
    pub subscription: Subscription,
    /// What the plan book says of its plan by now.
    pub plan: Option<Arc<Plan>>,
}

/// What a person calls a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The first choice of a plan.
    Subscribed,
    Cancelled,
    Suspended,
    /// Taken up again after it had been cancelled.
    Renewed,
    /// Taken up again after it had been suspended.
    Resumed,
    /// To a dearer plan.
    Upgraded,
    /// To a cheaper plan.
    Downgraded,
    CycleChanged,
    /// In whatever else there is.
    Changed,
}

impl How {
    pub const ALL: [Self; 9] = [
        Self::Subscribed,
        Self::Cancelled,
        Self::Suspended,
        Self::Renewed,
        Self::Resumed,
        Self::Upgraded,
        Self::Downgraded,
        Self::CycleChanged,
        Self::Changed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscribed => "subscribed",
            Self::Cancelled => "cancelled",
            Self::Suspended => "suspended",
            Self::Renewed => "renewed",
            Self::Resumed => "resumed",
            Self::Upgraded => "upgraded",
            Self::Downgraded => "downgraded",
            Self::CycleChanged => "cycle_changed",
            Self::Changed => "changed",
        }
    }

    /// Prices are those of today: what a plan once cost is not kept.
    fn of(before: Option<&Subscription>, after: &Subscription, plans: &PlanBook) -> Self {
        let Some(before) = before else { return Self::Subscribed };
        match (before.status, after.status) {
            (before, after) if before == after => {}
            (_, Status::Cancelled) => return Self::Cancelled,
            (_, Status::Suspended) => return Self::Suspended,
            (Status::Cancelled, Status::Active) => return Self::Renewed,
            (_, Status::Active) => return Self::Resumed,
        }
        let price = |own: &Subscription| plans.get(&own.plan).map(|plan| plan.price_monthly);
        match (price(before), price(after)) {
            (Some(before), Some(after)) if before < after => Self::Upgraded,
            (Some(before), Some(after)) if before > after => Self::Downgraded,
            _ if before.plan == after.plan && before.billing_cycle != after.billing_cycle => {
                Self::CycleChanged
            }
            _ => Self::Changed,
        }
    }
}

impl Service {
    /// How a level's own subscription was changed, the newest first.
    pub async fn subscription_history(&self, subject: SubjectId) -> Result<Vec<Changed>, Error> {
        let set = self.policy_set_for(&subject)?;
        let changes = self.read(move |ledger| ledger.subscriptions(&subject)).await?;
        let mut before = None;
        let changes = changes.into_iter().map(|(at, subscription)| {
            let how = How::of(before.as_ref(), &subscription, set.plans());
            before = Some(subscription.clone());
            let plan = set.plans().get(&subscription.plan).cloned();
            Changed { at, how, subscription, plan }
        });
        let mut changes: Vec<_> = changes.collect();
        changes.reverse();
        Ok(changes)
    }

    /// All plans, the cheapest first.
    pub fn plans(&self) -> Result<Vec<Arc<Plan>>, Error> {
        let mut plans: Vec<_> = self.policy_set()?.plans().iter().cloned().collect();
        plans.sort_by_key(|plan| plan.price_monthly);
        Ok(plans)
    }

    pub async fn subscription(&self, subject: SubjectId) -> Result<Subscribed, Error> {
        let (set, now) = (self.policy_set_for(&subject)?, self.now());
        match self.ledger.subscription(&subject, set.plans(), now).await? {
            Some(subscription) => {
                let plan = set.plans().get(&subscription.plan).cloned();
                let period = subscription.term(now);
                Ok(Subscribed { subject, subscription, plan, period })
            }
            None => Err(Error::NoPlan(subject)),
        }
    }

    /// Changes a level's subscription, at once, and asks the alert policies what that raises.
    pub async fn subscribe(
        &self,
        subject: SubjectId,
        change: SubscriptionChange,
    ) -> Result<Subscribed, Error> {
        let (set, now) = (self.policy_set_for(&subject)?, self.now());
        let Some(plan) = set.plans().get(&change.plan).cloned() else {
            return Err(Error::UnknownPlan(change.plan));
        };
        let mut alerter = set.alerter();
        let due = |readings: &[_]| alerter.due(readings);
        let subscription = self.ledger.subscribe(&subject, &change, set.plans(), now, due).await?;
        let period = subscription.term(now);
        Ok(Subscribed { subject, subscription, plan: Some(plan), period })
    }
}
