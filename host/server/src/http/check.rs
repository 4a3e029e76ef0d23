//! `POST /v1/check`: would this call fit?

use axum::response::{IntoResponse, Response};

use super::App;
use super::ask::Ask;
use super::decision::Verdict;
use super::json::{Json, JsonBody, parse};
use super::problem::Problem;
use crate::service::Answer;

/// Always 200 when the question is well formed, also when the answer is no.
pub async fn check(service: App, JsonBody(body): JsonBody) -> Result<Response, Problem> {
    let ask: Ask = parse(&body)?;
    if ask.ttl_seconds.is_some() {
        return Err(Problem::invalid("/ttl_seconds", "a check holds nothing: reserve instead"));
    }
    let Answer { decision, estimated_cost, set } = service.check(ask.into_call()?).await?;
    Ok(Json(Verdict::new(&decision, estimated_cost, set.revision())).into_response())
}
