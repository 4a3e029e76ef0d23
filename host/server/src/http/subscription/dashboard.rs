//! `GET /api/subscription/dashboard/{user_id}`: all that a dashboard shows, in one answer.

use axum::http::Uri;
use axum::response::Response;
use rust_decimal::Decimal;
use serde::Serialize;
use tollgate_domain::{Method, Projection, QuotaName, Timestamp};
use tollgate_engine::Recommendation;
use tollgate_ledger::Period;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::envelope::{Exception, answer};
use super::limits::PlanLimits;
use super::trends::Trends;
use super::usage::{Asked, StatisticsView, period, rounded, usage_statuses};
use super::user::{OfUser, User};
use crate::http::App;
use crate::http::alert::AlertView;
use crate::http::json::query;
use crate::http::money::{Dollars, Exact, Figure, Number};
use crate::http::openapi::schema::words;
use crate::http::openapi::tag;
use crate::http::problem::{Problem, kinds};
use crate::service::{Dashboard, ProjectedLimit, Projections};

/// What is only expected is told to a millionth of its unit.
const EXPECTED_DECIMALS: u32 = 6;

#[derive(Serialize, ToSchema)]
#[schema(as = Dashboard)]
struct DashboardView<'a> {
    summary: Summary,
    current_usage: StatisticsView<'a>,
    total_usage: StatisticsView<'a>,
    current_period_usage: StatisticsView<'a>,
    trends: Trends<'a>,
    limits: PlanLimits<'a>,
    projections: ProjectionsView<'a>,
    /// Those that nobody has read, the newest first.
    alerts: Vec<AlertView<'a>>,
    recommendations: Vec<RecommendationView<'a>>,
}

#[derive(Serialize, ToSchema)]
struct Summary {
    total_api_calls_this_month: u64,
    total_cost_this_month: Dollars,
    #[schema(schema_with = usage_statuses)]
    usage_status: &'static str,
    unread_alerts: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Projections)]
struct ProjectionsView<'a> {
    projected_monthly_cost: Figure,
    /// 0 for unlimited.
    cost_limit: Number,
    projected_usage_percentage: Figure,
    #[schema(schema_with = methods)]
    method: &'static str,
    range: Range,
    /// Until the first limit is met; null where none is before the month ends.
    #[schema(required)]
    days_until_limit: Option<Figure>,
    #[schema(required)]
    first_limit: Option<&'a QuotaName>,
    limits: Vec<LimitView<'a>>,
}

/// How projections are made.
fn methods() -> Object {
    words([Method::RunRate, Method::DampedRunRate, Method::WeekdayPattern].map(Method::as_str))
}

/// In four cases of five the month ends between these.
#[derive(Serialize, ToSchema)]
#[schema(as = ProjectedRange)]
struct Range {
    low: Figure,
    high: Figure,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ProjectedLimit)]
struct LimitView<'a> {
    quota: &'a QuotaName,
    used: Number,
    limit: Number,
    projected: Figure,
    projected_percentage: Figure,
    #[schema(schema_with = methods)]
    method: &'static str,
    range: Range,
    #[schema(required)]
    days_left: Option<Figure>,
    #[schema(required)]
    reached_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Recommendation)]
struct RecommendationView<'a> {
    r#type: &'a str,
    title: &'a str,
    message: &'a str,
}

/// See all that a dashboard shows
#[utoipa::path(
    get,
    path = "/dashboard/{user_id}",
    tag = tag::DASHBOARDS,
    operation_id = "getDashboard",
    params(OfUser, Asked),
    responses((status = 200, description = "All of it", body = DashboardView)),
    extensions(("x-problems" = json!([kinds::OVERFLOW]))),
)]
pub async fn show(service: App, user: User, uri: Uri) -> Response {
    let dashboard = async {
        let subject = user.subject()?;
        let total = period(&query::<Asked>(&uri)?, Period::AllTime)?;
        Ok(service.dashboard(subject, &total).await?)
    };
    let dashboard: Result<_, Problem> = dashboard.await;
    let view = dashboard.as_ref().map_err(Clone::clone).and_then(DashboardView::new);
    answer(&service, Exception::Subscription, Some(&user), view.as_ref())
}

impl<'a> DashboardView<'a> {
    fn new(dashboard: &'a Dashboard) -> Result<Self, Problem> {
        let Dashboard { current, total, months, projections, alerts, recommendations } = dashboard;
        Ok(Self {
            summary: Summary {
                total_api_calls_this_month: current.total.quantity("calls"),
                total_cost_this_month: Exact(current.total.cost),
                usage_status: current.status.as_str(),
                unread_alerts: alerts.unread,
            },
            current_usage: StatisticsView::new(current),
            total_usage: StatisticsView::new(total),
            current_period_usage: StatisticsView::new(current),
            trends: Trends::new(months)?,
            limits: PlanLimits::new(current.plan.as_deref()),
            projections: ProjectionsView::new(projections),
            alerts: alerts.alerts.iter().map(AlertView::new).collect(),
            recommendations: recommendations.iter().map(RecommendationView::new).collect(),
        })
    }
}

impl<'a> ProjectionsView<'a> {
    fn new(projections: &'a Projections) -> Self {
        let Projections { cost, cost_limit, cost_percentage, limits, first } = projections;
        let first = first.and_then(|at| limits.get(at));
        Self {
            projected_monthly_cost: expected(cost.total),
            cost_limit: Exact(cost_limit.unwrap_or_default()),
            projected_usage_percentage: rounded(cost_percentage.round_dp(1)),
            method: cost.method.as_str(),
            range: Range::new(cost),
            days_until_limit: first.and_then(days_left),
            first_limit: first.map(|limit| &limit.quota),
            limits: limits.iter().map(LimitView::new).collect(),
        }
    }
}

impl<'a> LimitView<'a> {
    fn new(limit: &'a ProjectedLimit) -> Self {
        Self {
            quota: &limit.quota,
            used: Exact(limit.used),
            limit: Exact(limit.limit),
            projected: expected(limit.projection.total),
            projected_percentage: rounded(limit.percentage.round_dp(1)),
            method: limit.projection.method.as_str(),
            range: Range::new(&limit.projection),
            days_left: days_left(limit),
            reached_at: limit.reached.map(|reached| reached.at),
        }
    }
}

impl Range {
    fn new(projection: &Projection) -> Self {
        Self { low: expected(projection.low), high: expected(projection.high) }
    }
}

impl<'a> RecommendationView<'a> {
    fn new(recommendation: &'a Recommendation) -> Self {
        let Recommendation { kind, title, message } = recommendation;
        Self { r#type: kind, title, message }
    }
}

fn days_left(limit: &ProjectedLimit) -> Option<Figure> {
    Some(rounded(limit.reached?.days_left.round_dp(1)))
}

fn expected(amount: Decimal) -> Figure {
    rounded(amount.round_dp(EXPECTED_DECIMALS))
}
