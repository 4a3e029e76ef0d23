//! `/v1/reservations`: quota held until it is known what was used.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tollgate_domain::reason;
use tollgate_domain::{Decision, ModelId, ProviderId, SubjectPath, Timestamp, Usd};
use tollgate_ledger::{Outcome, State};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::App;
use super::ask::Ask;
use super::decision::{Denied, Verdict};
use super::idempotency::{IdempotencyKey, replayed};
use super::json::{Json, JsonBody, NoQuery, parse};
use super::openapi::schema::words;
use super::openapi::tag;
use super::problem::kinds::{self, Kind};
use super::problem::{Problem, word};
use super::receipt::{Receipt, UsageMap};
use super::{made, path, rate_limit};

const TTL_SECONDS: u64 = 300;

#[derive(Serialize, ToSchema)]
#[schema(as = Reservation)]
struct Granted<'a> {
    reservation_id: String,
    expires_at: Timestamp,
    #[serde(flatten)]
    verdict: Verdict<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ReservationState)]
struct Shown<'a> {
    reservation_id: String,
    #[schema(schema_with = states)]
    state: &'static str,
    subject: &'a SubjectPath,
    provider: &'a ProviderId,
    #[schema(required)]
    model: Option<&'a ModelId>,
    /// What is held, or was.
    usage: UsageMap<'a>,
    #[schema(required)]
    estimated_cost: Option<Usd>,
    created_at: Timestamp,
    expires_at: Timestamp,
    revision: &'a str,
    /// The event that settled it.
    #[schema(required)]
    event_id: Option<String>,
}

fn states() -> Object {
    words([State::Held, State::Settled, State::Released, State::Expired].map(State::as_str))
}

/// Hold quota for a call
///
/// On every level of the subject's path, or on none. Of any number of calls at the same time exactly
/// as many are granted as fit.
#[utoipa::path(
    post,
    path = "/v1/reservations",
    tag = tag::CALLS,
    operation_id = "reserve",
    params(IdempotencyKey),
    request_body = Ask,
    responses((status = 201, description = "What is held, and until when", body = Granted)),
    extensions(("x-problems" = json!([kinds::NOT_IN_PLAN, kinds::SUBSCRIPTION_INACTIVE, kinds::CALL_REFUSED, kinds::UNPRICED_CALL, kinds::QUOTA_EXCEEDED, kinds::POLICY_ERROR, kinds::REJECTED, kinds::OVERFLOW]))),
)]
pub async fn reserve(
    service: App,
    _: NoQuery,
    key: IdempotencyKey,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let ask: Ask = parse(&body)?;
    let time_to_live = Duration::from_secs(ask.ttl_seconds.map_or(TTL_SECONDS, |ttl| ttl.0));
    let (call, turn) = (ask.into_call()?, key.turn(&service, &body)?);
    let reserved = service.reserve(call, time_to_live, turn).await?;
    let decision = &reserved.decision;
    let Some(reservation) = &reserved.reservation else { return Ok(refused(decision)) };
    let body = Granted {
        reservation_id: reservation.id.to_string(),
        expires_at: reservation.expires_at,
        verdict: Verdict::new(decision, reservation.cost, &reservation.revision),
    };
    let headers = (rate_limit::headers(decision), replayed(reserved.replayed));
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}

/// Look at a reservation
#[utoipa::path(
    get,
    path = "/v1/reservations/{id}",
    tag = tag::CALLS,
    operation_id = "getReservation",
    params(path::OfReservation),
    responses((status = 200, description = "What is held, or was", body = Shown)),
    extensions(("x-problems" = json!([kinds::UNKNOWN_RESERVATION]))),
)]
pub async fn show(
    service: App,
    _: NoQuery,
    path::Reservation(id): path::Reservation,
) -> Result<Response, Problem> {
    let reservation = service.reservation(id)?;
    let call = &reservation.call;
    let shown = Shown {
        reservation_id: id.to_string(),
        state: reservation.state(service.now()).as_str(),
        subject: &call.subject,
        provider: &call.provider,
        model: call.model.as_ref(),
        usage: UsageMap(&call.usage),
        estimated_cost: reservation.cost,
        created_at: reservation.created_at,
        expires_at: reservation.expires_at,
        revision: &reservation.revision,
        event_id: match reservation.outcome {
            Outcome::Settled { event, .. } => Some(event.to_string()),
            Outcome::Open | Outcome::Released => None,
        },
    };
    Ok(Json(shown).into_response())
}

/// Settle a reservation with what was really used
///
/// A use is a fact: it is recorded although the hold has expired, and although a quota is passed by
/// it. The same body again gives the same answer. Either `usage` or `response` is needed.
#[utoipa::path(
    post,
    path = "/v1/reservations/{id}/settle",
    tag = tag::CALLS,
    operation_id = "settle",
    params(path::OfReservation, IdempotencyKey),
    request_body = made::Settle,
    responses((status = 200, description = "What was recorded, and what it cost", body = Receipt)),
    extensions(("x-problems" = json!([kinds::UNKNOWN_RESERVATION, kinds::RESERVATION_RELEASED, kinds::CONTRADICTION, kinds::UNKNOWN_FLAVOR, kinds::REJECTED, kinds::OVERFLOW, kinds::LOST_EVENT]))),
)]
pub async fn settle(
    service: App,
    _: NoQuery,
    path::Reservation(id): path::Reservation,
    key: IdempotencyKey,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let (settlement, turn) = (made::settlement(&body)?, key.turn(&service, &body)?);
    let recorded = service.settle(id, settlement, turn).await?;
    Ok((replayed(recorded.replayed), Json(Receipt::new(&recorded))).into_response())
}

/// Release a reservation
///
/// The call was not made. It may be said again.
#[utoipa::path(
    delete,
    path = "/v1/reservations/{id}",
    tag = tag::CALLS,
    operation_id = "release",
    params(path::OfReservation),
    responses((status = 204, description = "Nothing is held any more")),
    extensions(("x-problems" = json!([kinds::UNKNOWN_RESERVATION, kinds::RESERVATION_SETTLED]))),
)]
pub async fn release(
    service: App,
    _: NoQuery,
    path::Reservation(id): path::Reservation,
) -> Result<StatusCode, Problem> {
    service.release(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How a call is refused for a reason.
pub fn kind_of(reason: &str) -> Kind {
    match reason {
        reason::QUOTA_EXCEEDED => kinds::QUOTA_EXCEEDED,
        reason::UNPRICED => kinds::UNPRICED_CALL,
        reason::POLICY_ERROR => kinds::POLICY_ERROR,
        _ => kinds::CALL_REFUSED,
    }
}

/// A refused call consumed nothing.
fn refused(decision: &Decision) -> Response {
    let denied = Denied::new(decision);
    let (reason, detail) =
        denied.as_ref().map_or(("refused", ""), |denied| (denied.reason, denied.message));
    let Kind { status, name, title, .. } = kind_of(reason);
    let name = match status {
        StatusCode::TOO_MANY_REQUESTS => name.to_owned(),
        _ => word(reason),
    };
    let problem = Problem::new(status, &name, title, detail).with("denied", &denied);
    if status != StatusCode::TOO_MANY_REQUESTS {
        return problem.into_response();
    }
    // Several levels may have quotas of one name.
    let violated: BTreeSet<_> = decision.violated().map(|quota| &quota.name).collect();
    let problem = problem.with("violated-policies", violated);
    (rate_limit::headers(decision), rate_limit::retry_after(decision), problem).into_response()
}
