//! `/api/subscription/plans`

use axum::extract::Path;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tollgate_domain::{FeatureId, Plan, PlanId, ProviderId, Usd};

use super::envelope::{Exception, answer};
use super::limits::Limits;
use crate::http::App;
use crate::http::json::{JsonBody, parse};
use crate::http::money::Exact;
use crate::http::problem::Problem;

#[derive(Serialize)]
struct Plans<'a> {
    plans: Vec<PlanView<'a>>,
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
    limits: Limits<'a>,
}

/// The cheapest first.
pub async fn list(service: App) -> Response {
    let plans = service.plans().map_err(Problem::from);
    let plans = plans.as_ref().map(|plans| Plans {
        plans: plans.iter().map(|plan| view(plan)).collect(),
        total: plans.len(),
    });
    answer(&service, Exception::Subscription, None, plans)
}

/// Creates a plan or changes it, at once; what was used stays used.
pub async fn change(
    service: App,
    Path(plan): Path<String>,
    body: Result<JsonBody, Problem>,
) -> Response {
    let changed = async {
        let id = plan_id(&plan)?;
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
pub async fn delete(service: App, Path(plan): Path<String>) -> Response {
    let deleted = async { Ok(service.delete_plan(plan_id(&plan)?).await?) };
    let deleted = deleted.await;
    let message = deleted.as_ref().map(|()| json!({ "message": "Plan deleted" }));
    answer(&service, Exception::Subscription, None, message)
}

fn plan_id(text: &str) -> Result<PlanId, Problem> {
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
