//! `/api/subscription/user/{user_id}/subscription`

use axum::response::Response;
use serde::{Deserialize, Serialize};
use tollgate_domain::{BillingCycle, FeatureId, PlanId, Status, SubjectId, Timestamp};
use tollgate_ledger::SubscriptionChange;

use super::envelope::{Exception, answer};
use super::limits::Limits;
use super::user::User;
use crate::http::App;
use crate::http::fields::Whole;
use crate::http::json::{JsonBody, parse};
use crate::http::problem::Problem;
use crate::service::Subscribed;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    plan: PlanId,
    billing_cycle: Option<BillingCycle>,
    timezone: Option<String>,
    anchor_day: Option<Whole<1, 31>>,
    status: Option<Status>,
}

#[derive(Serialize)]
struct SubscriptionView<'a> {
    user_id: &'a SubjectId,
    plan_name: &'a str,
    plan_id: &'a PlanId,
    tier: Option<&'a str>,
    status: &'static str,
    billing_cycle: &'static str,
    current_period_start: Timestamp,
    current_period_end: Option<Timestamp>,
    timezone: &'static str,
    anchor_day: u8,
    auto_renew: bool,
    limits: Limits<'a>,
    features: &'a [FeatureId],
}

pub async fn show(service: App, user: User) -> Response {
    let subscribed = async { Ok(service.subscription(user.subject()?).await?) };
    let subscribed = subscribed.await;
    let view = subscribed.as_ref().map(SubscriptionView::new);
    answer(&service, Exception::Subscription, Some(&user), view)
}

/// Takes effect at once, and keeps what was used.
pub async fn change(service: App, user: User, body: Result<JsonBody, Problem>) -> Response {
    let subscribed = async {
        let JsonBody(body) = body?;
        let change = parse::<Change>(&body)?.into_change()?;
        Ok(service.subscribe(user.subject()?, change).await?)
    };
    let subscribed = subscribed.await;
    let view = subscribed.as_ref().map(SubscriptionView::new);
    answer(&service, Exception::Subscription, Some(&user), view)
}

impl Change {
    fn into_change(self) -> Result<SubscriptionChange, Problem> {
        let timezone = self.timezone.map(|name| name.parse());
        Ok(SubscriptionChange {
            plan: self.plan,
            billing_cycle: self.billing_cycle,
            timezone: timezone.transpose().map_err(|_| {
                Problem::invalid("/timezone", "is not a time zone such as \"Europe/Berlin\"")
            })?,
            anchor_day: self.anchor_day.and_then(|day| u8::try_from(day.0).ok()),
            status: self.status,
        })
    }
}

impl<'a> SubscriptionView<'a> {
    fn new(subscribed: &'a Subscribed) -> Self {
        let Subscribed { subject, subscription, plan, period } = subscribed;
        let plan = plan.as_deref();
        Self {
            user_id: subject,
            plan_name: plan.map_or(subscription.plan.as_str(), |plan| &plan.name),
            plan_id: &subscription.plan,
            tier: plan.map(|plan| plan.tier.as_str()),
            status: subscription.status.as_str(),
            billing_cycle: subscription.billing_cycle.as_str(),
            current_period_start: period.start,
            current_period_end: period.end,
            timezone: subscription.calendar.timezone.name(),
            anchor_day: subscription.calendar.anchor_day,
            auto_renew: subscription.auto_renew,
            limits: Limits(plan),
            features: plan.map_or(&[], |plan| &plan.features),
        }
    }
}
