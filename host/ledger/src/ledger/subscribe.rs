//! Which plan a level has.

use chrono_tz::Tz;
use tollgate_domain::{
    Alert, BillingCycle, Calendar, PlanBook, PlanId, Reading, Status, SubjectId, Subscription,
    Timestamp,
};

use super::{Ledger, LedgerError, Locked, Step};
use crate::account::Account;
use crate::root::NotReady;
use crate::store::Store;

/// How often a change of plan waits for what is under way, so that windows can be added up which
/// its level did not have. Where there is always something, the next use raises what is due.
const WAITS_MAX: u32 = 8;

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
    /// Assigns a plan to one level, at once. What was used stays used, and what that is due to
    /// raise under the plan's limits is raised with it.
    pub async fn subscribe(
        &self,
        subject: &SubjectId,
        change: &SubscriptionChange,
        plans: &PlanBook,
        clock: Timestamp,
        mut alerts: impl FnMut(&[Reading]) -> Vec<Alert> + Send,
    ) -> Result<Subscription, LedgerError> {
        let mut waited = 0;
        let subscribed = self.run(subject, plans, clock, |locked| {
            let Locked { root, shared, plans, now } = locked;
            let before = root.account(subject).and_then(|account| account.subscription.clone());
            let subscription = change.apply(before, now);
            let former = root.adopt(subject, &subscription, now);
            let raised = match root.prepare(&*self.store, subject, plans, now) {
                Ok(()) => root.stand(subject, plans, now).raise(now, &mut alerts),
                Err(NotReady::Wait) if waited == WAITS_MAX => vec![],
                Err(not_ready) => {
                    root.abandon(subject, former);
                    waited += 1;
                    return match not_ready {
                        NotReady::Wait => Ok(Step::Wait),
                        NotReady::Store(error) => Err(error.into()),
                    };
                }
            };
            let unit = root.subscribe(subject.clone(), subscription.clone(), raised, now);
            let answer = self.committer.commit(unit, None, shared.clone());
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
