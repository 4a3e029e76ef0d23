//! `application/x-ndjson`: any number of events, one a line.

use std::pin::pin;

use axum::body::Body;
use axum::http::StatusCode;
use futures_util::StreamExt;
use futures_util::future::ready;
use tollgate_ledger::Recorded;

use super::tally::Tally;
use crate::http::lines::{LINE_BYTES_MAX, Line, lines};
use crate::http::made::use_report;
use crate::http::problem::Problem;
use crate::service::Service;

/// How many events may wait for the disk at once. They share its commits; the body is not read
/// on before there is room.
const UNDER_WAY_MAX: usize = 1024;

pub fn is_ndjson(media_type: &str) -> bool {
    media_type.eq_ignore_ascii_case("application/x-ndjson")
}

/// Records events as they arrive, in their order. What is on disk stays there, whatever becomes
/// of the rest; a problem that ends it all has the `index` of the first event that is in doubt.
pub async fn record(service: &Service, body: Body) -> Result<Tally, Problem> {
    let lines = lines(body).filter(|line| ready(!is_blank(line)));
    let mut outcomes = pin!(lines.map(|line| record_line(service, line)).buffered(UNDER_WAY_MAX));
    let mut tally = Tally::default();
    while let Some(outcome) = outcomes.next().await {
        tally.count(outcome.map_err(|problem| problem.with("index", tally.counted()))?);
    }
    Ok(tally)
}

/// What became of a line; an error is one of the whole body.
async fn record_line(
    service: &Service,
    line: Result<Line, axum::Error>,
) -> Result<Result<Recorded, Problem>, Problem> {
    let parsed = match line {
        Ok(Line::Whole(line)) => use_report(&line),
        Ok(Line::TooLong) => {
            let detail = format!("the line must not be longer than {LINE_BYTES_MAX} bytes");
            Err(Problem::plain(StatusCode::PAYLOAD_TOO_LARGE, detail))
        }
        Err(_) => {
            return Err(Problem::plain(StatusCode::BAD_REQUEST, "the body did not arrive whole"));
        }
    };
    let outcome = match parsed {
        Ok(used) => service.record(used).await.map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    match outcome {
        // It is not this line's fault, and the next one would fare no better.
        Err(problem) if problem.status == StatusCode::SERVICE_UNAVAILABLE => Err(problem),
        outcome => Ok(outcome),
    }
}

fn is_blank(line: &Result<Line, axum::Error>) -> bool {
    matches!(line, Ok(Line::Whole(line)) if line.trim_ascii().is_empty())
}
