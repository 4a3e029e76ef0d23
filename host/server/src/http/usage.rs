//! `/v1/usage`: use that was not reserved.

pub mod corrections;
mod ndjson;
mod tally;

use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tollgate_domain::SubjectPath;
use tollgate_ledger::Turn;
use utoipa::ToSchema;
use utoipa::openapi::Ref;

use super::App;
use super::idempotency::{IdempotencyKey, replayed};
use super::json::{Json, JsonBody, NoQuery, content_type, elements, query};
use super::made::{self, use_report};
use super::openapi::schema::{described, either};
use super::openapi::tag;
use super::problem::{Problem, kinds};
use super::receipt::{EventView, Receipt};
use crate::service::UseReport;
use corrections::CorrectionView;
use tally::Tally;

pub const EVENTS_MAX: usize = 1000;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Find {
    /// Whose event it is
    subject: SubjectPath,
    /// The name that its caller gave it, or else ours
    #[param(example = "ev-1-0")]
    event_id: String,
}

/// An event as it was recorded, and what was said of it since.
#[derive(Serialize, ToSchema)]
#[schema(as = FoundEvent)]
struct Found<'a> {
    #[serde(flatten)]
    event: EventView<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    corrections: Vec<CorrectionView<'a>>,
}

/// What is told with 200 by whoever takes one event or many.
struct RecordedBefore;

described! {
    [] RecordedBefore, "RecordedBefore",
    either(
        "The receipt of an event that had been recorded before; or what became of a list.",
        Ref::from_schema_name(Receipt::name()),
        Ref::from_schema_name(Tally::name()),
    );
    Receipt<'static>, Tally
}

/// Record use that was not reserved
///
/// One event, a list of at most 1,000, or a line for each (NDJSON) of any number. In a list or in
/// lines, one bad event never costs the good ones. Either `usage` or `response` is needed. Lines are at
/// most 1 MiB each, and a key does not go with them.
#[utoipa::path(
    post,
    path = "/v1/usage",
    tag = tag::CALLS,
    operation_id = "recordUsage",
    params(IdempotencyKey),
    request_body(content((made::Uses = "application/json"), (made::UseLines = "application/x-ndjson"))),
    responses(
        (status = 201, description = "One event was recorded", body = Receipt),
        (status = 200, description = "It had been recorded before; or what became of a list", body = RecordedBefore)
    ),
    extensions(("x-problems" = json!([kinds::CONTRADICTION, kinds::UNKNOWN_FLAVOR, kinds::REJECTED, kinds::OVERFLOW, kinds::LOST_EVENT]))),
)]
pub async fn record(
    service: App,
    _: NoQuery,
    key: IdempotencyKey,
    request: Request,
) -> Result<Response, Problem> {
    if content_type(request.headers()).is_some_and(ndjson::is_ndjson) {
        let tally = ndjson::record(&service.0, request.into_body()).await?;
        return Ok(Json(tally).into_response());
    }
    let JsonBody(body) = JsonBody::from_request(request, &service).await?;
    if let Some(events) = elements(&body) {
        let (events, turn) = (events?, key.turn(&service, &body)?);
        let tally = record_all(&service, &events, &turn).await?;
        return Ok((replayed(tally.replayed), Json(tally)).into_response());
    }
    let used = use_report(&body)?;
    let turn = key.turn(&service, &body)?;
    let recorded = service.record(UseReport { turn, ..used }).await?;
    let status = if recorded.duplicate { StatusCode::OK } else { StatusCode::CREATED };
    let receipt = Json(Receipt::with_duplicate(&recorded));
    Ok((status, replayed(recorded.replayed), receipt).into_response())
}

/// Find one event, and its corrections
#[utoipa::path(
    get,
    path = "/v1/usage",
    tag = tag::CALLS,
    operation_id = "findUsage",
    params(Find),
    responses((status = 200, description = "The event as it was recorded, and what was said of it since", body = Found)),
    extensions(("x-problems" = json!([kinds::UNKNOWN_EVENT, kinds::LOST_EVENT]))),
)]
pub async fn find(service: App, uri: Uri) -> Result<Response, Problem> {
    let Find { subject, event_id } = query(&uri)?;
    let recorded = service.event(subject, &event_id)?;
    let corrections = service.corrections(recorded.id)?;
    let corrections = corrections.iter().map(CorrectionView::new).collect();
    let found = Found { event: EventView::new(&recorded), corrections };
    Ok(Json(found).into_response())
}

/// Under a key each event is remembered by its place: what was recorded is not recorded again,
/// and what was rejected is tried again.
async fn record_all(service: &App, events: &[&RawValue], turn: &Turn) -> Result<Tally, Problem> {
    if events.len() > EVENTS_MAX {
        let detail = format!("must not have more than {EVENTS_MAX} events");
        return Err(Problem::invalid("", detail));
    }
    let record = async |(part, event): (_, &&RawValue)| {
        let used = use_report(event.get().as_bytes())?;
        Ok(service.record(UseReport { turn: turn.of_part(part), ..used }).await?)
    };
    // Decided in their order; they share a commit.
    let outcomes = join_all((0..).zip(events).map(record)).await;
    let mut tally = Tally::default();
    outcomes.into_iter().for_each(|outcome| tally.count(outcome));
    Ok(tally)
}
