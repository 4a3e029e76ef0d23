//! `POST /v1/check`: would this call fit?

use axum::response::{IntoResponse, Response};

use super::App;
use super::ask::{Ask, AskToCheck};
use super::decision::Verdict;
use super::json::{Json, JsonBody, NoQuery, parse};
use super::openapi::tag;
use super::problem::Problem;
use crate::service::Answer;

/// Ask whether a call would fit
///
/// Reads and changes nothing. It is 200 when the question is well formed, also when the answer is no:
/// `denied` says why then.
#[utoipa::path(
    post,
    path = "/v1/check",
    tag = tag::CALLS,
    operation_id = "check",
    request_body = AskToCheck,
    responses((status = 200, description = "Whether it would, and where the call stands on every quota that it touches", body = Verdict)),
)]
pub async fn check(
    service: App,
    _: NoQuery,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let ask: Ask = parse(&body)?;
    if ask.ttl_seconds.is_some() {
        return Err(Problem::invalid("/ttl_seconds", "a check holds nothing: reserve instead"));
    }
    let Answer { decision, estimated_cost, set } = service.check(ask.into_call()?).await?;
    Ok(Json(Verdict::new(&decision, estimated_cost, set.revision())).into_response())
}
