//! `application/x-ndjson`: any number of events, one a line.

use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use futures_util::StreamExt;
use futures_util::future::ready;
use futures_util::stream::iter;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tollgate_ledger::Recorded;

use super::tally::Tally;
use crate::http::lines::{LINE_BYTES_MAX, Line, lines};
use crate::http::made::use_report;
use crate::http::problem::Problem;
use crate::service::{RatedUse, Service};

/// How many events may wait for the disk at once. They share its commits; the body is not read
/// on before there is room.
const UNDER_WAY_MAX: usize = 2048;

/// How many lines, of those that have arrived, a thread reads and prices in one go, and how many
/// threads may be at it.
const LINES_MAX: usize = 64;
const THREADS_MAX: usize = 4;

/// What was read from a line; an error is one of the whole body.
type Read = Result<Result<RatedUse, Problem>, Problem>;

pub fn is_ndjson(media_type: &str) -> bool {
    media_type.eq_ignore_ascii_case("application/x-ndjson")
}

/// Records events as they arrive, in their order. What is on disk stays there, whatever becomes
/// of the rest; a problem that ends it all has the `index` of the first event that is in doubt.
pub async fn record(service: &Arc<Service>, body: Body) -> Result<Tally, Problem> {
    let lines = lines(body).filter(|line| ready(!is_blank(line)));
    // Reading and pricing takes longer than recording, and needs no order: other threads do it.
    let read = lines.ready_chunks(LINES_MAX).map(|lines| {
        let service = service.clone();
        spawn_blocking(move || lines.into_iter().map(|line| read(&service, line)).collect())
    });
    let read = read.buffered(THREADS_MAX).flat_map(|read: Result<Vec<Read>, _>| {
        iter(read.unwrap_or_else(|error| {
            tracing::error!(%error, "the reading of lines broke down");
            let detail = "the reading of lines broke down";
            vec![Err(Problem::plain(StatusCode::INTERNAL_SERVER_ERROR, detail))]
        }))
    });
    let mut outcomes = pin!(read.map(|read| record_read(service, read)).buffered(UNDER_WAY_MAX));
    let mut tally = Tally::default();
    while let Some(outcome) = outcomes.next().await {
        tally.count(outcome.map_err(|problem| problem.with("index", tally.counted()))?);
    }
    Ok(tally)
}

fn read(service: &Service, line: Result<Line, axum::Error>) -> Read {
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
    // On a thread that may block: who pays is asked of the ledger, where a price depends on it.
    let rate = |used| Handle::current().block_on(service.rate_use(used));
    of_one(parsed.and_then(|used| Ok(rate(used)?)))
}

/// What became of a line.
async fn record_read(service: &Service, read: Read) -> Result<Result<Recorded, Problem>, Problem> {
    match read? {
        Ok(rated) => of_one(service.record_rated(rated).await.map_err(Problem::from)),
        Err(problem) => Ok(Err(problem)),
    }
}

/// Tells a line's problem from one that is not its fault: the next one would fare no better.
fn of_one<T>(outcome: Result<T, Problem>) -> Result<Result<T, Problem>, Problem> {
    match outcome {
        Err(problem) if problem.status == StatusCode::SERVICE_UNAVAILABLE => Err(problem),
        outcome => Ok(outcome),
    }
}

fn is_blank(line: &Result<Line, axum::Error>) -> bool {
    matches!(line, Ok(Line::Whole(line)) if line.trim_ascii().is_empty())
}
