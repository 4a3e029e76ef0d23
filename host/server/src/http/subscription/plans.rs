//! `/api/subscription/plans`

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::Uri;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tollgate_domain::{FeatureId, Plan, PlanId, ProviderId, Usd};

use super::envelope::{Exception, answer};
use super::limits::Limits;
use super::page::Asked;
use super::quotas::{QuotaView, quotas};
use crate::http::App;
use crate::http::json::{JsonBody, no_query, parse, query};
use crate::http::money::Exact;
use crate::http::problem::Problem;

#[derive(Serialize)]
struct Plans<'a> {
    plans: Vec<PlanView<'a>>,
    /// All that there are, whether or not they are listed here.
    total: usize,
}

#[derive(Serialize)]
struct PlanView<'a> {
    id: &'a PlanId,
    name: &'a str,
    tier: &'a str,
    price_monthly: Exact<Usd>,
    price_yearly: Exact<Usd>,
    description: &'a str,
    features: &'a [FeatureId],
    /// What the plan sells; null for all.
    providers: Option<&'a [ProviderId]>,
    quotas: Vec<QuotaView<'a>>,
    limits: Limits<'a>,
}

/// The cheapest first.
pub async fn list(service: App, uri: Uri) -> Response {
    let page = query::<Asked>(&uri).and_then(Asked::page);
    let plans = page.and_then(|page| Ok((service.plans()?, page)));
    let plans = plans.as_ref().map(|(plans, page)| Plans {
        plans: page.of(plans).iter().map(|plan| view(plan)).collect(),
        total: plans.len(),
    });
    answer(&service, Exception::Subscription, None, plans)
}

/// Creates a plan or changes it, at once; what was used stays used.
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

/// Takes a plan away that nobody has.
pub async fn delete(service: App, plan: Result<Path<String>, PathRejection>, uri: Uri) -> Response {
    let deleted = async {
        no_query(&uri)?;
        Ok(service.delete_plan(plan_id(plan)?).await?)
    };
    let deleted = deleted.await;
    let message = deleted.as_ref().map(|()| json!({ "message": "Plan deleted" }));
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
        quotas: quotas(Some(plan)),
        limits: Limits(Some(plan)),
    }
}
