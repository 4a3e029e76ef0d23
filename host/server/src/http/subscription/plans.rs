//! `GET /api/subscription/plans`

use axum::response::Response;
use serde::Serialize;
use tollgate_domain::{FeatureId, Plan, PlanId, ProviderId, Usd};

use super::envelope::{Exception, answer};
use super::limits::Limits;
use crate::http::App;
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
