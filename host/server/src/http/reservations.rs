//! `/v1/reservations`: quota held until it is known what was used.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tollgate_domain::reason;
use tollgate_domain::{Decision, ModelId, ProviderId, SubjectPath, Timestamp, Usd};
use tollgate_ledger::Outcome;

use super::App;
use super::ask::Ask;
use super::decision::{Denied, Verdict};
use super::idempotency::{IdempotencyKey, replayed};
use super::json::{Json, JsonBody, parse};
use super::problem::{Problem, QUOTA_EXCEEDED, word};
use super::receipt::{Receipt, UsageMap};
use super::{made, path, rate_limit};

const TTL_SECONDS: u64 = 300;

#[derive(Serialize)]
struct Granted<'a> {
    reservation_id: String,
    expires_at: Timestamp,
    #[serde(flatten)]
    verdict: Verdict<'a>,
}

#[derive(Serialize)]
struct Shown<'a> {
    reservation_id: String,
    state: &'static str,
    subject: &'a SubjectPath,
    provider: &'a ProviderId,
    model: Option<&'a ModelId>,
    /// What is held, or was.
    usage: UsageMap<'a>,
    estimated_cost: Option<Usd>,
    created_at: Timestamp,
    expires_at: Timestamp,
    revision: &'a str,
    /// The event that settled it.
    event_id: Option<String>,
}

pub async fn reserve(
    service: App,
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

pub async fn show(
    service: App,
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

pub async fn settle(
    service: App,
    path::Reservation(id): path::Reservation,
    key: IdempotencyKey,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let (settlement, turn) = (made::settlement(&body)?, key.turn(&service, &body)?);
    let recorded = service.settle(id, settlement, turn).await?;
    Ok((replayed(recorded.replayed), Json(Receipt::new(&recorded))).into_response())
}

pub async fn release(
    service: App,
    path::Reservation(id): path::Reservation,
) -> Result<StatusCode, Problem> {
    service.release(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How a call is refused for a reason: with which status, and in which words.
pub fn status_of(reason: &str) -> (StatusCode, &'static str) {
    match reason {
        reason::QUOTA_EXCEEDED => (StatusCode::TOO_MANY_REQUESTS, "A quota is used up"),
        reason::UNPRICED => (StatusCode::UNPROCESSABLE_ENTITY, "Nobody prices this call"),
        reason::POLICY_ERROR => {
            (StatusCode::SERVICE_UNAVAILABLE, "A policy failed, and says no then")
        }
        _ => (StatusCode::FORBIDDEN, "The call is refused"),
    }
}

/// A refused call consumed nothing.
fn refused(decision: &Decision) -> Response {
    let denied = Denied::new(decision);
    let (reason, detail) =
        denied.as_ref().map_or(("refused", ""), |denied| (denied.reason, denied.message));
    let (status, title) = status_of(reason);
    let kind = match reason {
        reason::QUOTA_EXCEEDED => QUOTA_EXCEEDED.to_owned(),
        reason => word(reason),
    };
    let problem = Problem::new(status, &kind, title, detail).with("denied", &denied);
    if status != StatusCode::TOO_MANY_REQUESTS {
        return problem.into_response();
    }
    // Several levels may have quotas of one name.
    let violated: BTreeSet<_> = decision.violated().map(|quota| &quota.name).collect();
    let problem = problem.with("violated-policies", violated);
    (rate_limit::headers(decision), rate_limit::retry_after(decision), problem).into_response()
}
