//! `GET /api/subscription/usage-logs/{user_id}`: call by call, the newest first.

use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tollgate_domain::{
    Calendar, Charge, EndpointName, Meter, ModelId, PeriodId, ProviderId, Side, SubjectPath,
    Timestamp, Usage, Usd,
};
use tollgate_ledger::{Event, EventId, LogEntry, LogFilter, LogPage, Recorded, Use};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::envelope::{Exception, answer};
use super::user::{OfUser, User};
use crate::http::App;
use crate::http::fields::number;
use crate::http::json::query;
use crate::http::money::{Dollars, Exact, Number, seconds};
use crate::http::openapi::schema::{offset, whole, words};
use crate::http::openapi::tag;
use crate::http::problem::Problem;
use crate::http::receipt::event_name;

const LIMIT: u64 = 50;
const LIMIT_MAX: u64 = 1000;

const SUCCESS: &str = "success";
const FAILED: &str = "failed";

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// How many at most
    #[param(schema_with = limits)]
    limit: Option<String>,
    /// How many to leave out at the beginning
    #[param(schema_with = offset)]
    offset: Option<String>,
    /// Only calls to this provider
    provider: Option<ProviderId>,
    /// Only calls that ended so
    #[param(schema_with = statuses)]
    status: Option<String>,
}

/// What `limit` may be.
fn limits() -> Object {
    whole(1..=LIMIT_MAX, Some(LIMIT))
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsageLogs)]
struct Logs<'a> {
    logs: Vec<LogView<'a>>,
    total_count: u64,
    limit: u64,
    offset: u64,
    has_more: bool,
}

/// A call, and what it counts by now: corrections are in it.
#[derive(Serialize, ToSchema)]
#[schema(as = LoggedCall)]
pub struct LogView<'a> {
    id: String,
    timestamp: Timestamp,
    subject: &'a SubjectPath,
    provider: &'a ProviderId,
    #[schema(required)]
    model_used: Option<&'a ModelId>,
    #[schema(required)]
    endpoint: Option<&'a EndpointName>,
    #[schema(required)]
    method: Option<&'a str>,
    tokens_input: u64,
    tokens_output: u64,
    tokens_total: u64,
    /// Fees belong to neither side, and of a cost that was given nobody knows the sides.
    cost_input: Dollars,
    cost_output: Dollars,
    cost_total: Dollars,
    unpriced: bool,
    #[schema(required)]
    response_time: Option<Number>,
    #[schema(required)]
    status_code: Option<u16>,
    #[schema(schema_with = statuses)]
    status: &'static str,
    #[schema(required)]
    error_message: Option<&'a str>,
    billing_period: PeriodId,
}

fn statuses() -> Object {
    words([SUCCESS, FAILED])
}

/// See calls one by one
///
/// The newest first.
#[utoipa::path(
    get,
    path = "/usage-logs/{user_id}",
    tag = tag::DASHBOARDS,
    operation_id = "listUsageLogs",
    params(OfUser, Asked),
    responses((status = 200, description = "A page of them", body = Logs)),
)]
pub async fn list(service: App, user: User, uri: Uri) -> Response {
    let page = async {
        let subject = user.subject()?;
        let asked = query::<Asked>(&uri)?;
        let limit = number("/limit", asked.limit, LIMIT, 1..=LIMIT_MAX)?;
        let offset = number("/offset", asked.offset, 0, 0..=u64::MAX)?;
        let failed = failed(asked.status.as_deref())?;
        let which = LogFilter { provider: asked.provider, failed };
        let lines = usize::try_from(limit).unwrap_or(0);
        let page = service.logs(subject, which, offset, lines).await?;
        Ok((page, limit, offset))
    };
    let page: Result<_, Problem> = page.await;
    let logs = page.as_ref().map(|(page, limit, offset)| Logs::new(page, *limit, *offset));
    answer(&service, Exception::Subscription, Some(&user), logs)
}

fn failed(status: Option<&str>) -> Result<Option<bool>, Problem> {
    match status {
        None => Ok(None),
        Some(SUCCESS) => Ok(Some(false)),
        Some(FAILED) => Ok(Some(true)),
        Some(_) => Err(Problem::invalid("/status", "is neither `success` nor `failed`")),
    }
}

impl<'a> Logs<'a> {
    fn new(page: &'a LogPage, limit: u64, offset: u64) -> Self {
        let logs = page.entries.iter().map(|entry| LogView::new(entry, &page.calendar));
        let (total_count, has_more) = (page.total, page.has_more);
        Self { logs: logs.collect(), total_count, limit, offset, has_more }
    }
}

impl<'a> LogView<'a> {
    fn new(entry: &'a LogEntry, calendar: &Calendar) -> Self {
        let LogEntry { id, event, used, charges } = entry;
        let period = calendar.period(event.report.occurred_at);
        Self::of(*id, event, used, charges, period)
    }

    /// An event as it was just recorded.
    pub fn of_recorded(recorded: &'a Recorded) -> Self {
        let Recorded { id, event, .. } = recorded;
        Self::of(*id, event, &event.used(), &event.report.charges, event.period.clone())
    }

    fn of(
        id: EventId,
        event: &'a Event,
        used: &Use,
        charges: &[Charge],
        billing_period: PeriodId,
    ) -> Self {
        let (report, amount) = (&event.report, |name| used.usage.get(name).unwrap_or(0));
        Self {
            id: event_name(report.key.as_ref(), id),
            timestamp: report.occurred_at,
            subject: &report.subject,
            provider: &report.provider,
            model_used: report.model.as_ref(),
            endpoint: report.endpoint.as_ref(),
            method: report.method.as_deref(),
            tokens_input: amount("input_tokens"),
            tokens_output: amount("output_tokens"),
            tokens_total: tokens(&used.usage),
            cost_input: Exact(cost_of(charges, Side::Input)),
            cost_output: Exact(cost_of(charges, Side::Output)),
            cost_total: Exact(used.cost.unwrap_or_default()),
            unpriced: used.cost.is_none(),
            response_time: report.response_time_ms.map(seconds),
            status_code: report.status_code,
            status: if report.failed() { FAILED } else { SUCCESS },
            error_message: report.error.as_deref(),
            billing_period,
        }
    }
}

fn tokens(usage: &Usage) -> u64 {
    Meter::Tokens.measure(usage, None).and_then(|tokens| tokens.to_count()).unwrap_or(0)
}

/// The sum fits, since that of all charges did.
fn cost_of(charges: &[Charge], side: Side) -> Usd {
    let own = charges.iter().filter(|charge| charge.side == side);
    own.fold(Usd::ZERO, |sum, charge| sum.checked_add(charge.cost).unwrap_or(sum))
}
