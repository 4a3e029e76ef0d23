//! Plans, and who has which.

use std::sync::Arc;

use tollgate_domain::{Plan, Span, SubjectId, Subscription, Window};
use tollgate_ledger::SubscriptionChange;

use super::{Error, Service};

/// A subscription in force.
pub struct Subscribed {
    pub subject: SubjectId,
    pub subscription: Subscription,
    /// What the plan book says of its plan; `None` for a plan that is gone from it.
    pub plan: Option<Arc<Plan>>,
    /// The billing period that runs now.
    pub period: Span,
}

impl Service {
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
                let period = Window::Month.span(now, &subscription.calendar);
                Ok(Subscribed { subject, subscription, plan, period })
            }
            None => Err(Error::NoPlan(subject)),
        }
    }

    /// Changes a level's subscription, at once.
    pub async fn subscribe(
        &self,
        subject: SubjectId,
        change: SubscriptionChange,
    ) -> Result<Subscribed, Error> {
        let (set, now) = (self.policy_set_for(&subject)?, self.now());
        let Some(plan) = set.plans().get(&change.plan).cloned() else {
            return Err(Error::UnknownPlan(change.plan));
        };
        let subscription = self.ledger.subscribe(&subject, &change, set.plans(), now).await?;
        let period = Window::Month.span(now, &subscription.calendar);
        Ok(Subscribed { subject, subscription, plan: Some(plan), period })
    }
}
