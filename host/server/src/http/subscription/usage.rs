//! `GET /api/subscription/usage/{user_id}`

use axum::http::Uri;
use axum::response::Response;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, Serializer};
use tollgate_domain::{ProviderId, Timestamp};
use tollgate_ledger::{Period, Totals};
use utoipa::ToSchema;
use utoipa::openapi::Ref;
use utoipa::openapi::schema::Object;

use super::envelope::{Exception, answer};
use super::limits::{PlanLimits, by_quota, names};
use super::user::{OfUser, User};
use crate::http::App;
use crate::http::alert::AlertView;
use crate::http::json::query;
use crate::http::money::{Dollars, Exact, Figure};
use crate::http::openapi::schema::{described, map, words};
use crate::http::openapi::tag;
use crate::http::problem::{Problem, kinds};
use crate::service::{Statistics, UsageStatus};

/// How all time is named where a billing period is expected.
const ALL_TIME: &str = "all";

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// A billing period, or `all`; the current one unless given
    #[param(pattern = "^([0-9]{4}-(0[1-9]|1[0-2])|all)$")]
    billing_period: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsageStatistics)]
pub struct StatisticsView<'a> {
    billing_period: &'a str,
    #[schema(schema_with = usage_statuses)]
    usage_status: &'static str,
    total_calls: u64,
    total_tokens: u64,
    total_cost: Dollars,
    avg_response_time: Figure,
    error_rate: Figure,
    limits: PlanLimits<'a>,
    provider_breakdown: Breakdown<'a>,
    usage_percentages: Percentages<'a>,
    alerts: Vec<AlertView<'a>>,
    last_updated: Timestamp,
}

/// See what a user has used in a period
#[utoipa::path(
    get,
    path = "/usage/{user_id}",
    tag = tag::DASHBOARDS,
    operation_id = "getUsage",
    params(OfUser, Asked),
    responses((status = 200, description = "The statistics", body = StatisticsView)),
    extensions(("x-problems" = json!([kinds::OVERFLOW]))),
)]
pub async fn show(service: App, user: User, uri: Uri) -> Response {
    let statistics = async {
        let subject = user.subject()?;
        let period = period(&query::<Asked>(&uri)?, Period::Current)?;
        Ok(service.usage(subject, &period).await?)
    };
    let statistics = statistics.await;
    let view = statistics.as_ref().map(StatisticsView::new);
    answer(&service, Exception::Subscription, Some(&user), view)
}

pub fn usage_statuses() -> Object {
    words(
        [UsageStatus::Active, UsageStatus::Warning, UsageStatus::LimitReached]
            .map(UsageStatus::as_str),
    )
}

/// The period that is asked for; `unnamed` where none is.
pub fn period(asked: &Asked, unnamed: Period) -> Result<Period, Problem> {
    match asked.billing_period.as_deref() {
        None => Ok(unnamed),
        Some(ALL_TIME) => Ok(Period::AllTime),
        Some(name) => {
            let invalid = |error| Problem::invalid("/billing_period", format!("{error}"));
            name.parse().map(Period::Of).map_err(invalid)
        }
    }
}

impl<'a> StatisticsView<'a> {
    pub fn new(statistics: &'a Statistics) -> Self {
        let Statistics { total, plan, .. } = statistics;
        Self {
            billing_period: statistics.period.as_ref().map_or(ALL_TIME, |period| period.as_str()),
            usage_status: statistics.status.as_str(),
            total_calls: total.quantity("calls"),
            total_tokens: total.tokens(),
            total_cost: Exact(total.cost),
            avg_response_time: rounded(statistics.avg_response_time),
            error_rate: rounded(statistics.error_rate),
            limits: PlanLimits::new(plan.as_deref()),
            provider_breakdown: Breakdown(statistics),
            usage_percentages: Percentages(statistics),
            alerts: statistics.alerts.iter().map(AlertView::new).collect(),
            last_updated: statistics.at,
        }
    }
}

/// Use by provider.
struct Breakdown<'a>(&'a Statistics);

described! {
    ['a] Breakdown<'a>, "ProviderBreakdown",
    map::<ProviderId>("Use by provider.", Ref::from_schema_name(ProviderUse::name()), None);
    ProviderUse
}

#[derive(Serialize, ToSchema)]
struct ProviderUse {
    calls: u64,
    tokens: u64,
    cost: Dollars,
}

impl Serialize for Breakdown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let used = |(provider, totals): (&'_ ProviderId, &Totals)| {
            let (calls, tokens) = (totals.quantity("calls"), totals.tokens());
            (provider.to_string(), ProviderUse { calls, tokens, cost: Exact(totals.cost) })
        };
        serializer.collect_map(self.0.by_provider.iter().map(used))
    }
}

/// A number for every quota of the plan and for every name that dashboards expect.
struct Percentages<'a>(&'a Statistics);

described! {
    ['a] Percentages<'a>, "UsagePercentages",
    by_quota::<Figure>("How much of each quota is used; that of `monthly_cost` is under `cost`.");
    Figure
}

impl Serialize for Percentages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let used = |name: &str| {
            let mut quotas = self.0.percentages.iter();
            let quota = quotas.find(|(own, _)| own.as_str() == name);
            rounded(quota.map_or(Decimal::ZERO, |(_, percentage)| *percentage))
        };
        let entry = |name| (if name == "monthly_cost" { "cost" } else { name }, used(name));
        serializer.collect_map(names(self.0.plan.as_deref()).map(entry))
    }
}

pub fn rounded(decimal: Decimal) -> Figure {
    Exact(decimal.normalize())
}
