//! `/api/subscription/user/{user_id}/subscription`

use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tollgate_domain::{BillingCycle, FeatureId, PlanId, Status, SubjectId, Timestamp};
use tollgate_ledger::SubscriptionChange;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::envelope::{Exception, answer};
use super::limits::Limits;
use super::page::Asked;
use super::user::{OfUser, User};
use crate::http::App;
use crate::http::fields::Whole;
use crate::http::json::{JsonBody, no_query, parse, query};
use crate::http::openapi::schema::words;
use crate::http::openapi::tag;
use crate::http::problem::{Problem, kinds};
use crate::service::{Changed, How, Subscribed};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SubscriptionChange)]
struct Change {
    plan: PlanId,
    billing_cycle: Option<BillingCycle>,
    /// An IANA time zone; the days of the subscription begin there
    #[schema(example = "Europe/Berlin")]
    timezone: Option<String>,
    anchor_day: Option<Whole<1, 31>>,
    status: Option<Status>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Subscription)]
struct SubscriptionView<'a> {
    user_id: &'a SubjectId,
    plan_name: &'a str,
    plan_id: &'a PlanId,
    #[schema(required)]
    tier: Option<&'a str>,
    #[schema(value_type = Status)]
    status: &'static str,
    #[schema(value_type = BillingCycle)]
    billing_cycle: &'static str,
    current_period_start: Timestamp,
    #[schema(required)]
    current_period_end: Option<Timestamp>,
    timezone: &'static str,
    anchor_day: u8,
    auto_renew: bool,
    limits: Limits<'a>,
    features: &'a [FeatureId],
}

#[derive(Serialize, ToSchema)]
#[schema(as = SubscriptionHistory)]
struct History<'a> {
    history: Vec<ChangedView<'a>>,
    /// All that there are, whether or not they are listed here.
    total: usize,
}

/// What a subscription became.
#[derive(Serialize, ToSchema)]
#[schema(as = SubscriptionStep)]
struct ChangedView<'a> {
    changed_at: Timestamp,
    #[schema(schema_with = changes)]
    change: &'static str,
    plan_name: &'a str,
    plan_id: &'a PlanId,
    #[schema(value_type = Status)]
    status: &'static str,
    #[schema(value_type = BillingCycle)]
    billing_cycle: &'static str,
    timezone: &'static str,
    anchor_day: u8,
    auto_renew: bool,
}

fn changes() -> Object {
    words(How::ALL.map(How::as_str))
}

/// See a subscription
///
/// A user who was never seen has the default plan.
#[utoipa::path(
    get,
    path = "/user/{user_id}/subscription",
    tag = tag::DASHBOARDS,
    operation_id = "getSubscription",
    params(OfUser),
    responses((status = 200, description = "The subscription", body = SubscriptionView)),
    extensions(("x-problems" = json!([kinds::NO_PLAN]))),
)]
pub async fn show(service: App, user: User, uri: Uri) -> Response {
    let subscribed = async {
        no_query(&uri)?;
        Ok(service.subscription(user.subject()?).await?)
    };
    let subscribed = subscribed.await;
    let view = subscribed.as_ref().map(SubscriptionView::new);
    answer(&service, Exception::Subscription, Some(&user), view)
}

/// Give a user a plan
///
/// Takes effect at once, and keeps what was used.
#[utoipa::path(
    put,
    path = "/user/{user_id}/subscription",
    tag = tag::DASHBOARDS,
    operation_id = "putSubscription",
    params(OfUser),
    request_body = Change,
    responses((status = 200, description = "The subscription as it is now", body = SubscriptionView)),
)]
pub async fn change(
    service: App,
    user: User,
    uri: Uri,
    body: Result<JsonBody, Problem>,
) -> Response {
    let subscribed = async {
        no_query(&uri)?;
        let JsonBody(body) = body?;
        let change = parse::<Change>(&body)?.into_change()?;
        Ok(service.subscribe(user.subject()?, change).await?)
    };
    let subscribed = subscribed.await;
    let view = subscribed.as_ref().map(SubscriptionView::new);
    answer(&service, Exception::Subscription, Some(&user), view)
}

/// See how a subscription changed
///
/// The newest first.
#[utoipa::path(
    get,
    path = "/user/{user_id}/subscription/history",
    tag = tag::DASHBOARDS,
    operation_id = "listSubscriptionChanges",
    params(OfUser, Asked),
    responses((status = 200, description = "The changes", body = History)),
)]
pub async fn history(service: App, user: User, uri: Uri) -> Response {
    let history = async {
        let page = query::<Asked>(&uri)?.page()?;
        Ok((service.subscription_history(user.subject()?).await?, page))
    };
    let history: Result<_, Problem> = history.await;
    let view = history.as_ref().map(|(history, page)| History {
        history: page.of(history).iter().map(ChangedView::new).collect(),
        total: history.len(),
    });
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

impl<'a> ChangedView<'a> {
    fn new(changed: &'a Changed) -> Self {
        let Changed { at, how, subscription, plan } = changed;
        Self {
            changed_at: *at,
            change: how.as_str(),
            plan_name: plan.as_deref().map_or(subscription.plan.as_str(), |plan| &plan.name),
            plan_id: &subscription.plan,
            status: subscription.status.as_str(),
            billing_cycle: subscription.billing_cycle.as_str(),
            timezone: subscription.calendar.timezone.name(),
            anchor_day: subscription.calendar.anchor_day,
            auto_renew: subscription.auto_renew,
        }
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
