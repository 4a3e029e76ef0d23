//! `/v1/usage/corrections`: facts about facts.

use std::collections::BTreeMap;
use std::ops::Not;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tollgate_domain::{EventKey, PeriodId, QuantityName, SubjectPath, Timestamp, Usd};
use tollgate_ledger::{Corrected, Correction};
use utoipa::ToSchema;

use crate::http::App;
use crate::http::alert::AlertView;
use crate::http::fields::{Changes, Money, Quantities, Text};
use crate::http::fingerprint::fingerprint;
use crate::http::idempotency::{IdempotencyKey, replayed};
use crate::http::json::{JsonBody, NoQuery, parse};
use crate::http::openapi::tag;
use crate::http::problem::{Problem, kinds};
use crate::http::receipt::{ChargeView, UsageMap, event_name};
use crate::service::{Amended, CorrectionAsk, Error};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CorrectionToMake)]
struct Correct {
    subject: SubjectPath,
    event_id: String,
    correction_id: EventKey,
    usage_delta: Option<Changes>,
    replacement: Option<Quantities>,
    cost: Option<Money>,
    reason: Option<Text<1000>>,
}

/// A correction, whole. What it changed is told as differences, and what the event counts now.
#[derive(Serialize, ToSchema)]
#[schema(as = Correction)]
pub struct CorrectionView<'a> {
    event_id: String,
    correction_id: &'a EventKey,
    corrects: String,
    #[serde(skip_serializing_if = "Not::not")]
    duplicate: bool,
    subject: &'a SubjectPath,
    #[schema(value_type = BTreeMap<QuantityName, i64>)]
    usage_delta: BTreeMap<&'a QuantityName, i128>,
    usage: UsageMap<'a>,
    cost_delta: Usd,
    #[schema(required)]
    cost: Option<Usd>,
    unpriced: bool,
    cost_given: bool,
    charges: Vec<ChargeView<'a>>,
    #[schema(required)]
    reason: Option<&'a str>,
    overage: bool,
    occurred_at: Timestamp,
    recorded_at: Timestamp,
    billing_period: &'a PeriodId,
    revision: &'a str,
    alerts: Vec<AlertView<'a>>,
}

/// Correct an event
///
/// The event stays as it was recorded; from then on it counts what its last correction says. Either
/// `usage_delta` or `replacement` is needed. Totals never fall below 0.
#[utoipa::path(
    post,
    path = "/v1/usage/corrections",
    tag = tag::CALLS,
    operation_id = "correctUsage",
    params(IdempotencyKey),
    request_body = Correct,
    responses(
        (status = 201, description = "The correction was recorded", body = CorrectionView),
        (status = 200, description = "It had been recorded before", body = CorrectionView)
    ),
    extensions(("x-problems" = json!([kinds::UNKNOWN_EVENT, kinds::CONTRADICTION, kinds::CORRECTED_MEANWHILE, kinds::REJECTED, kinds::OVERFLOW, kinds::LOST_EVENT]))),
)]
pub async fn correct(
    service: App,
    _: NoQuery,
    key: IdempotencyKey,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let Correct { subject, event_id, correction_id, usage_delta, replacement, cost, reason } =
        parse(&body)?;
    let used = match (usage_delta, replacement) {
        (Some(Changes(delta)), None) => Amended::Delta(delta),
        (None, Some(usage)) => Amended::Replacement(usage.into_usage().map_err(Error::from)?),
        (None, None) => {
            return Err(Problem::invalid("/usage_delta", "is missing, and so is `replacement`"));
        }
        (Some(_), Some(_)) => {
            let detail = "must not be given together with `usage_delta`";
            return Err(Problem::invalid("/replacement", detail));
        }
    };
    let ask = CorrectionAsk {
        subject,
        event: event_id,
        key: correction_id,
        fingerprint: fingerprint(&body)?,
        used,
        cost: cost.map(|cost| cost.0),
        reason: reason.map(|reason| reason.0),
        turn: key.turn(&service, &body)?,
    };
    let corrected = service.correct(ask).await?;
    let status = if corrected.duplicate { StatusCode::OK } else { StatusCode::CREATED };
    let view = Json(CorrectionView::new(&corrected));
    Ok((status, replayed(corrected.replayed), view).into_response())
}

impl<'a> CorrectionView<'a> {
    pub fn new(corrected: &'a Corrected) -> Self {
        let Correction { amendment, event, subject, occurred_at, period, recorded_at, .. } =
            &*corrected.correction;
        let (before, after) = (&amendment.before, &amendment.after);
        let [cost_before, cost_after] = [before, after].map(|used| used.cost.unwrap_or_default());
        Self {
            event_id: corrected.id.to_string(),
            correction_id: &amendment.key,
            corrects: event_name(event.as_ref(), amendment.corrects),
            duplicate: corrected.duplicate,
            subject,
            usage_delta: delta(corrected),
            usage: UsageMap(&after.usage),
            // Both are what a ledger holds: their difference fits.
            cost_delta: cost_after.checked_sub(cost_before).unwrap_or_default(),
            cost: after.cost,
            unpriced: after.cost.is_none(),
            cost_given: amendment.cost_given,
            charges: amendment.charges.iter().map(ChargeView::new).collect(),
            reason: amendment.reason.as_deref(),
            overage: corrected.correction.overage,
            occurred_at: *occurred_at,
            recorded_at: *recorded_at,
            billing_period: period,
            revision: &amendment.revision,
            alerts: corrected.alerts.iter().map(AlertView::new).collect(),
        }
    }
}

/// What changed, by quantity.
fn delta(corrected: &Corrected) -> BTreeMap<&QuantityName, i128> {
    let amendment = &corrected.correction.amendment;
    let mut delta = BTreeMap::new();
    for (name, amount) in amendment.after.usage.iter() {
        *delta.entry(name).or_default() += i128::from(amount);
    }
    for (name, amount) in amendment.before.usage.iter() {
        *delta.entry(name).or_default() -= i128::from(amount);
    }
    delta.retain(|_, change| *change != 0);
    delta
}
