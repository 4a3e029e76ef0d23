//! `/api/subscription/plans`

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::Uri;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Map, Value};
use tollgate_domain::{
    FeatureId, Mode, ModelId, Plan, PlanId, ProviderId, QuantityName, QuotaName, Window,
};
use utoipa::ToSchema;

use super::envelope::{Exception, Message, answer};
use super::limits::Limits;
use super::page::Asked;
use crate::http::App;
use crate::http::fields::Money;
use crate::http::json::{JsonBody, no_query, parse, query};
use crate::http::money::{Dollars, Exact};
use crate::http::openapi::tag;
use crate::http::problem::{Problem, kinds};

#[derive(Serialize, ToSchema)]
struct Plans<'a> {
    plans: Vec<PlanView<'a>>,
    /// All that there are, whether or not they are listed here.
    total: usize,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Plan)]
struct PlanView<'a> {
    id: &'a PlanId,
    name: &'a str,
    tier: &'a str,
    price_monthly: Dollars,
    price_yearly: Dollars,
    description: &'a str,
    features: &'a [FeatureId],
    /// What the plan sells; null for all.
    #[schema(required)]
    providers: Option<&'a [ProviderId]>,
    limits: Limits<'a>,
}

/// List the plans
///
/// The cheapest first.
#[utoipa::path(
    get,
    path = "/plans",
    tag = tag::DASHBOARDS,
    operation_id = "listPlans",
    params(Asked),
    responses((status = 200, description = "The plans", body = Plans)),
)]
pub async fn list(service: App, uri: Uri) -> Response {
    let page = query::<Asked>(&uri).and_then(Asked::page);
    let plans = page.and_then(|page| Ok((service.plans()?, page)));
    let plans = plans.as_ref().map(|(plans, page)| Plans {
        plans: page.of(plans).iter().map(|plan| view(plan)).collect(),
        total: plans.len(),
    });
    answer(&service, Exception::Subscription, None, plans)
}

/// What is said of a plan, as `standard-tiers` takes it. Another tier policy may take other fields,
/// and each refuses what it does not know.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the policy reads it")]
struct PlanTerms {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    #[schema(min_length = 1, max_length = 200)]
    tier: String,
    #[schema(required = false)]
    description: String,
    price_monthly: Money,
    price_yearly: Money,
    #[schema(required = false)]
    features: Vec<FeatureId>,
    /// What the plan sells; all unless given
    providers: Option<Vec<ProviderId>>,
    #[schema(required = false)]
    quotas: Vec<QuotaTerms>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the policy reads it")]
struct QuotaTerms {
    name: QuotaName,
    /// `calls`, `tokens`, `cost`, or any other quantity
    meter: QuantityName,
    /// Whose calls count; all unless given
    #[schema(required = false)]
    providers: Vec<ProviderId>,
    /// Of which models; all unless given
    #[schema(required = false)]
    models: Vec<ModelId>,
    /// `month` unless given
    #[schema(required = false)]
    window: Window,
    /// Unlimited unless given
    limit: Option<Money>,
    /// `hard` unless given
    #[schema(required = false)]
    mode: Mode,
    /// By how many percent a hard limit may be passed
    #[schema(required = false)]
    grace_percent: u32,
}

/// Create a plan, or change it
///
/// At once, and what was used stays used. What is put here is laid over what the files say. The fields
/// are those of the tier policy; these are those of `standard-tiers`.
#[utoipa::path(
    put,
    path = "/plans/{plan}",
    tag = tag::DASHBOARDS,
    operation_id = "putPlan",
    params(("plan" = PlanId, Path)),
    request_body = PlanTerms,
    responses((status = 200, description = "The plan as it is now", body = PlanView)),
    extensions(("x-problems" = json!([kinds::NO_SUCH_POLICY, kinds::REFUSED]))),
)]
pub async fn change(
    service: App,
    plan: Result<Path<String>, PathRejection>,
    uri: Uri,
    body: Result<JsonBody, Problem>,
) -> Response {
    let changed = async {
        let id = plan_id(plan)?;
        no_query(&uri)?;
        let terms = parse::<Map<String, Value>>(&body?.0)?;
        if terms.get("id").is_some_and(|other| other.as_str() != Some(id.as_str())) {
            return Err(Problem::invalid("/id", "is another plan than the path names"));
        }
        Ok(service.put_plan(id, terms).await?)
    };
    let changed = changed.await;
    answer(&service, Exception::Subscription, None, changed.as_ref().map(|plan| view(plan)))
}

/// Delete a plan that nobody has
#[utoipa::path(
    delete,
    path = "/plans/{plan}",
    tag = tag::DASHBOARDS,
    operation_id = "deletePlan",
    params(("plan" = PlanId, Path)),
    responses((status = 200, description = "It is gone", body = Message)),
    extensions(("x-problems" = json!([kinds::UNKNOWN_PLAN, kinds::PLAN_IN_USE, kinds::NO_SUCH_POLICY, kinds::REFUSED]))),
)]
pub async fn delete(service: App, plan: Result<Path<String>, PathRejection>, uri: Uri) -> Response {
    let deleted = async {
        no_query(&uri)?;
        Ok(service.delete_plan(plan_id(plan)?).await?)
    };
    let deleted = deleted.await;
    let message = deleted.as_ref().map(|()| Message { message: "Plan deleted" });
    answer(&service, Exception::Subscription, None, message)
}

fn plan_id(segment: Result<Path<String>, PathRejection>) -> Result<PlanId, Problem> {
    let Path(text) = segment.map_err(|_| Problem::invalid("/plan", "is not UTF-8"))?;
    text.parse().map_err(|error| Problem::invalid("/plan", format!("{error}")))
}

fn view(plan: &Plan) -> PlanView<'_> {
    PlanView {
        id: &plan.id,
        name: &plan.name,
        tier: &plan.tier,
        price_monthly: Exact(plan.price_monthly),
        price_yearly: Exact(plan.price_yearly),
        description: &plan.description,
        features: &plan.features,
        providers: plan.providers.as_deref(),
        limits: Limits(Some(plan)),
    }
}
