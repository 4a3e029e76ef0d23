//! `/v1/usage`: use that was not reserved.

use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tollgate_domain::SubjectPath;

use super::App;
use super::json::{JsonBody, elements, query};
use super::made::use_report;
use super::problem::Problem;
use super::receipt::{EventView, Receipt};

const EVENTS_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Find {
    subject: SubjectPath,
    event_id: String,
}

/// What became of many: one bad event never costs the good ones.
#[derive(Default, Serialize)]
struct Tally {
    accepted: usize,
    duplicates: usize,
    rejected: usize,
    problems: Vec<Rejected>,
}

#[derive(Serialize)]
struct Rejected {
    index: usize,
    problem: Problem,
}

/// Takes one event, or an array of them.
pub async fn record(service: App, JsonBody(body): JsonBody) -> Result<Response, Problem> {
    if let Some(events) = elements(&body) {
        return Ok(Json(record_all(&service, &events?).await?).into_response());
    }
    let recorded = service.record(use_report(&body)?).await?;
    let status = if recorded.duplicate { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(Receipt::with_duplicate(&recorded))).into_response())
}

pub async fn find(service: App, uri: Uri) -> Result<Response, Problem> {
    let Find { subject, event_id } = query(&uri)?;
    let recorded = service.event(subject, &event_id)?;
    Ok(Json(EventView::new(&recorded)).into_response())
}

async fn record_all(service: &App, events: &[&RawValue]) -> Result<Tally, Problem> {
    if events.len() > EVENTS_MAX {
        let detail = format!("must not have more than {EVENTS_MAX} events");
        return Err(Problem::invalid("", detail));
    }
    let mut tally = Tally::default();
    let (mut indices, mut reports) = (Vec::new(), Vec::new());
    for (index, event) in events.iter().enumerate() {
        match use_report(event.get().as_bytes()) {
            Ok(report) => {
                indices.push(index);
                reports.push(report);
            }
            Err(problem) => tally.problems.push(Rejected { index, problem }),
        }
    }
    for (index, outcome) in indices.into_iter().zip(service.record_all(reports).await) {
        match outcome {
            Ok(recorded) if recorded.duplicate => tally.duplicates += 1,
            Ok(_) => tally.accepted += 1,
            Err(error) => tally.problems.push(Rejected { index, problem: error.into() }),
        }
    }
    tally.rejected = tally.problems.len();
    tally.problems.sort_by_key(|rejected| rejected.index);
    Ok(tally)
}
