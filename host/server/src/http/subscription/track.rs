//! `POST /api/subscription/track`: a call that was made, told as the seed tells it.

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tollgate_domain::{Call, EndpointName, ModelId, ProviderId, QuantityName, SubjectPath, Usage};
use tollgate_ledger::{Fingerprint, Recorded};
use utoipa::ToSchema;

use super::envelope::{Exception, Failed, answer, failure};
use super::logs::LogView;
use super::user::User;
use crate::http::App;
use crate::http::alert::AlertView;
use crate::http::fields::{Money, Seconds, Text, Whole};
use crate::http::idempotency::{IdempotencyKey, replayed};
use crate::http::json::{JsonBody, no_query, parse};
use crate::http::openapi::tag;
use crate::http::problem::{Problem, kinds};
use crate::service::{Error, Made, UseReport, Used};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CallToTrack)]
struct Track {
    user_id: SubjectPath,
    provider: ProviderId,
    endpoint: Option<EndpointName>,
    method: Option<Text<16>>,
    tokens_input: Option<Whole>,
    tokens_output: Option<Whole>,
    cost: Option<Money>,
    response_time: Option<Seconds>,
    status_code: Option<Whole<100, 999>>,
    model: Option<ModelId>,
}

/// The event as the log shows it, and what it led to.
#[derive(Serialize, ToSchema)]
struct Tracked<'a> {
    #[serde(flatten)]
    event: LogView<'a>,
    event_id: String,
    overage: bool,
    alerts: Vec<AlertView<'a>>,
}

/// Record a call that was made, as the seed tells it
#[utoipa::path(
    post,
    path = "/track",
    tag = tag::DASHBOARDS,
    operation_id = "track",
    params(IdempotencyKey),
    request_body = Track,
    responses((status = 200, description = "What was recorded", body = Tracked)),
    extensions(("x-problems" = json!([kinds::REJECTED, kinds::OVERFLOW]))),
)]
pub async fn track(
    service: App,
    uri: Uri,
    key: Result<IdempotencyKey, Problem>,
    body: Result<JsonBody, Problem>,
) -> Response {
    let user = body.as_ref().map_or(User::unknown(), |JsonBody(body)| User::in_body(body));
    let recorded = async {
        let tracking = |problem| Failed(Exception::Tracking, problem);
        no_query(&uri).map_err(tracking)?;
        let JsonBody(body) = body.map_err(tracking)?;
        let track: Track = parse(&body).map_err(tracking)?;
        let turn = key.and_then(|key| key.turn(&service, &body)).map_err(tracking)?;
        let failed = |error: Error| Failed(Exception::Tracking.of(&error), error.into());
        let used = track.into_report().map_err(failed)?;
        service.record(UseReport { turn, ..used }).await.map_err(failed)
    };
    let recorded: Recorded = match recorded.await {
        Ok(recorded) => recorded,
        Err(Failed(exception, problem)) => {
            return failure(&service, exception, Some(&user), &problem);
        }
    };
    let tracked = Tracked {
        event: LogView::of_recorded(&recorded),
        event_id: recorded.id.to_string(),
        overage: recorded.event.overage,
        alerts: recorded.alerts.iter().map(AlertView::new).collect(),
    };
    let answer = answer(&service, Exception::Tracking, Some(&user), Ok(tracked));
    (StatusCode::OK, replayed(recorded.replayed), answer).into_response()
}

impl Track {
    fn into_report(self) -> Result<UseReport, Error> {
        let name = |name: &str| name.parse::<QuantityName>().ok();
        let tokens = [("input_tokens", self.tokens_input), ("output_tokens", self.tokens_output)];
        let tokens = tokens.into_iter().filter_map(|(quantity, n)| Some((name(quantity)?, n?.0)));
        let usage = Usage::new(tokens)?;
        Ok(UseReport {
            key: None,
            call: Call {
                subject: self.user_id,
                provider: self.provider,
                model: self.model,
                endpoint: self.endpoint,
                usage: usage.clone(),
                max_tokens: None,
                features: vec![],
                service_tier: None,
                region: None,
                metadata: Default::default(),
            },
            method: self.method.map(|method| method.0),
            made: Made {
                // Without a name nobody can say it again.
                fingerprint: Fingerprint::NONE,
                used: Used::Stated(usage),
                cost: self.cost.map(|cost| cost.0),
                response_time_ms: self.response_time.map(|time| time.millis),
                status_code: self.status_code.and_then(|code| u16::try_from(code.0).ok()),
                error: None,
                request_id: None,
            },
            occurred_at: None,
            turn: Default::default(),
        })
    }
}
