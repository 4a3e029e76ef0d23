//! `/api/subscription/billing-history/{user_id}`: what was billed, the newest first.

use axum::http::Uri;
use axum::response::Response;
use serde::Serialize;
use tollgate_domain::{PeriodId, Timestamp};
use utoipa::ToSchema;

use super::envelope::{Exception, answer};
use super::page::{Asked, Page};
use super::user::{OfUser, User};
use crate::http::App;
use crate::http::json::query;
use crate::http::money::{Dollars, Exact};
use crate::http::openapi::tag;
use crate::service::Billed;

#[derive(Serialize, ToSchema)]
#[schema(as = BillingHistory)]
struct History<'a> {
    history: Vec<EntryView<'a>>,
    /// All that there are, whether or not they are listed here.
    total: usize,
}

/// Lines are in whole cents, and the total adds them up; what was used is told exactly besides.
#[derive(Serialize, ToSchema)]
#[schema(as = BilledPeriod)]
struct EntryView<'a> {
    billing_period: &'a PeriodId,
    period_start: Timestamp,
    period_end: Timestamp,
    #[schema(required)]
    plan_name: Option<&'a str>,
    subscription_fee: Dollars,
    usage_cost: Dollars,
    adjustments: Dollars,
    total: Dollars,
    exact_usage_cost: Dollars,
    exact_adjustments: Dollars,
    total_calls: u64,
    total_tokens: u64,
    status: &'static str,
    closed_at: Timestamp,
}

/// See what was billed
///
/// The newest first.
#[utoipa::path(
    get,
    path = "/billing-history/{user_id}",
    tag = tag::DASHBOARDS,
    operation_id = "listBilledPeriods",
    params(OfUser, Asked),
    responses((status = 200, description = "The periods that are over", body = History)),
)]
pub async fn show(service: App, user: User, uri: Uri) -> Response {
    let history = async {
        let page = query::<Asked>(&uri)?.page()?;
        Ok((service.billing_history(user.subject()?).await?, page))
    };
    let history = history.await;
    let view = history.as_ref().map(|(history, page)| History::new(history, page));
    answer(&service, Exception::Subscription, Some(&user), view)
}

impl<'a> History<'a> {
    fn new(billed: &'a [Billed], page: &Page) -> Self {
        let history = page.of(billed).iter().map(EntryView::new).collect();
        Self { history, total: billed.len() }
    }
}

impl<'a> EntryView<'a> {
    fn new(billed: &'a Billed) -> Self {
        let Billed { entry, invoice } = billed;
        Self {
            billing_period: &entry.period,
            period_start: entry.start,
            period_end: entry.end,
            plan_name: entry.plan_name.as_deref().or(entry.plan.as_ref().map(|id| id.as_str())),
            subscription_fee: Exact(invoice.subscription_fee),
            usage_cost: Exact(invoice.usage_cost),
            adjustments: Exact(invoice.adjustments),
            total: Exact(invoice.total),
            exact_usage_cost: Exact(entry.usage_cost),
            exact_adjustments: Exact(entry.adjustments),
            total_calls: entry.calls,
            total_tokens: entry.tokens,
            status: "closed",
            closed_at: entry.end,
        }
    }
}
