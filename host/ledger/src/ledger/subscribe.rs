//! Which plan a level has.

use chrono_tz::Tz;
use tollgate_domain::{
    BillingCycle, Calendar, PlanBook, PlanId, Status, SubjectId, Subscription, Timestamp,
};

use super::{Ledger, LedgerError, Step};
use crate::account::Account;
use crate::store::Store;

/// What to change of a subscription; what is `None` stays as it is.
#[derive(Clone, Debug)]
pub struct SubscriptionChange {
    pub plan: PlanId,
    pub billing_cycle: Option<BillingCycle>,
    pub timezone: Option<Tz>,
    /// 1 to 31.
    pub anchor_day: Option<u8>,
    pub status: Option<Status>,
}

impl<S: Store> Ledger<S> {
    /// Assigns a plan to one level, at once. What was used stays used.
    pub async fn subscribe(
        &self,
        subject: &SubjectId,
        change: &SubscriptionChange,
        plans: &PlanBook,
        clock: Timestamp,
    ) -> Result<Subscription, LedgerError> {
        let subscribed = self.run(subject, plans, clock, |locked| {
            let before = locked.root.account(subject).and_then(|a| a.subscription.clone());
            let subscription = change.apply(before, locked.now);
            let unit = locked.root.subscribe(subject.clone(), subscription.clone(), locked.now);
            let answer = self.committer.commit(unit, None, locked.shared.clone());
            Ok(Step::Queued(subscription, answer))
        });
        Ok(subscribed.await?.0)
    }

    /// How a level's own subscription was changed, the oldest first: each time when, and what it
    /// became. May block.
    pub fn subscriptions(
        &self,
        subject: &SubjectId,
    ) -> Result<Vec<(Timestamp, Subscription)>, LedgerError> {
        Ok(self.store.subscriptions(subject)?)
    }

    /// Whether anybody has this plan by choice. Looks through all accounts, and may block.
    pub fn is_subscribed(&self, plan: &PlanId) -> Result<bool, LedgerError> {
        let has = |_: &SubjectId, account: &Account| {
            account.subscription.as_ref().is_some_and(|own| own.plan == *plan)
        };
        Ok(self.store.any_account(&has)?)
    }

    /// The subscription in force for a level: its own, that of the nearest level above, or what
    /// the default plan amounts to.
    pub async fn subscription(
        &self,
        subject: &SubjectId,
        plans: &PlanBook,
        clock: Timestamp,
    ) -> Result<Option<Subscription>, LedgerError> {
        let found = self.run(subject, plans, clock, |locked| {
            Ok(Step::Done(locked.root.subscription(subject, plans, locked.now)))
        });
        Ok(found.await?.0)
    }
}

impl SubscriptionChange {
    fn apply(&self, before: Option<Subscription>, now: Timestamp) -> Subscription {
        let mut subscription = before.unwrap_or_else(|| Subscription {
            plan: self.plan.clone(),
            status: Status::Active,
            billing_cycle: BillingCycle::Monthly,
            calendar: Calendar::default(),
            auto_renew: true,
            since: now,
        });
        let status = self.status.unwrap_or(subscription.status);
        let billing_cycle = self.billing_cycle.unwrap_or(subscription.billing_cycle);
        let is_taken_up_again =
            subscription.status == Status::Cancelled && status != Status::Cancelled;
        if subscription.plan != self.plan
            || subscription.billing_cycle != billing_cycle
            || is_taken_up_again
        {
            subscription.plan = self.plan.clone();
            subscription.billing_cycle = billing_cycle;
            subscription.since = now;
        }
        subscription.status = status;
        subscription.auto_renew = status != Status::Cancelled;
        let calendar = &mut subscription.calendar;
        calendar.timezone = self.timezone.unwrap_or(calendar.timezone);
        calendar.anchor_day = self.anchor_day.unwrap_or(calendar.anchor_day);
        subscription
    }
}
