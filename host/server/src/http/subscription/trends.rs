//! `GET /api/subscription/usage/{user_id}/trends`: month by month, the oldest first.

use std::collections::BTreeMap;

use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tollgate_domain::{Amount, PeriodId, ProviderId, Trend};
use tollgate_ledger::{LedgerError, MonthUsage, Overflow, Totals};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::envelope::{Exception, answer};
use super::user::{OfUser, User};
use crate::http::App;
use crate::http::fields::number;
use crate::http::json::query;
use crate::http::money::{Dollars, Exact};
use crate::http::openapi::schema::{whole, words};
use crate::http::openapi::tag;
use crate::http::problem::{Problem, kinds};
use crate::service::Error;

const MONTHS: u64 = 6;
const MONTHS_MAX: u64 = 36;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// How many months
    #[param(schema_with = spans)]
    months: Option<String>,
}

/// What `months` may be.
fn spans() -> Object {
    whole(1..=MONTHS_MAX, Some(MONTHS))
}

/// Every list has an element for each period.
#[derive(Serialize, ToSchema)]
pub struct Trends<'a> {
    periods: Vec<&'a PeriodId>,
    total_calls: Vec<u64>,
    total_cost: Vec<Dollars>,
    total_tokens: Vec<u64>,
    /// Of every provider that was used in any of the periods.
    provider_trends: BTreeMap<&'a ProviderId, Series>,
    #[schema(schema_with = trends)]
    calls_trend: &'static str,
    #[schema(schema_with = trends)]
    cost_trend: &'static str,
}

fn trends() -> Object {
    words([Trend::Increasing, Trend::Stable, Trend::Decreasing].map(Trend::as_str))
}

#[derive(Serialize, ToSchema)]
#[schema(as = TrendSeries)]
struct Series {
    calls: Vec<u64>,
    cost: Vec<Dollars>,
    tokens: Vec<u64>,
}

/// See use month by month
///
/// The oldest first; months without use are there.
#[utoipa::path(
    get,
    path = "/usage/{user_id}/trends",
    tag = tag::DASHBOARDS,
    operation_id = "getTrends",
    params(OfUser, Asked),
    responses((status = 200, description = "The months", body = Trends)),
    extensions(("x-problems" = json!([kinds::OVERFLOW]))),
)]
pub async fn show(service: App, user: User, uri: Uri) -> Response {
    let months = async {
        let subject = user.subject()?;
        let months = number("/months", query::<Asked>(&uri)?.months, MONTHS, 1..=MONTHS_MAX)?;
        Ok(service.months(&subject, usize::try_from(months).unwrap_or(usize::MAX)).await?)
    };
    let months: Result<_, Problem> = months.await;
    let trends = months.as_deref().map_err(Clone::clone).and_then(Trends::new);
    answer(&service, Exception::Subscription, Some(&user), trends.as_ref())
}

impl<'a> Trends<'a> {
    pub fn new(months: &'a [MonthUsage]) -> Result<Self, Problem> {
        let mut totals = vec![Totals::default(); months.len()];
        let mut by_provider = BTreeMap::<_, Vec<Totals>>::new();
        for (at, month) in months.iter().enumerate() {
            for cell in month.usage.table.cells() {
                let of_provider = by_provider.entry(&cell.provider);
                let of_provider =
                    of_provider.or_insert_with(|| vec![Totals::default(); months.len()]);
                for sum in [&mut totals[at], &mut of_provider[at]] {
                    sum.add(&cell.totals).map_err(too_large)?;
                }
            }
        }
        let of_all = Series::new(&totals);
        let calls: Vec<_> = of_all.calls.iter().map(|calls| Amount::from(*calls)).collect();
        let cost: Vec<_> = totals.iter().map(|totals| totals.cost.0).collect();
        let series = by_provider.into_iter().map(|(provider, t)| (provider, Series::new(&t)));
        Ok(Self {
            periods: months.iter().map(|month| &month.period).collect(),
            provider_trends: series.collect(),
            calls_trend: Trend::of(&calls).as_str(),
            cost_trend: Trend::of(&cost).as_str(),
            total_calls: of_all.calls,
            total_cost: of_all.cost,
            total_tokens: of_all.tokens,
        })
    }
}

impl Series {
    fn new(months: &[Totals]) -> Self {
        Self {
            calls: months.iter().map(|totals| totals.quantity("calls")).collect(),
            cost: months.iter().map(|totals| Exact(totals.cost)).collect(),
            tokens: months.iter().map(Totals::tokens).collect(),
        }
    }
}

fn too_large(overflow: Overflow) -> Problem {
    Error::from(LedgerError::from(overflow)).into()
}
