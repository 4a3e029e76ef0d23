//! `application/x-ndjson`: any number of events, one a line.

use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use futures_util::future::ready;
use futures_util::stream::{Stream, iter, unfold};
use futures_util::{FutureExt, StreamExt};
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

/// How many lines, of those that have arrived, a thread reads and prices in one go; where they are
/// long, no more than have so many bytes, or one.
const LINES_MAX: usize = 64;
const CHUNK_BYTES_MAX: usize = 256 * 1024;

/// How many threads may be at it.
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
    let read = chunks(lines).map(|lines| {
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

/// Lines that have arrived, some at a time.
fn chunks(
    lines: impl Stream<Item = Result<Line, axum::Error>>,
) -> impl Stream<Item = Vec<Result<Line, axum::Error>>> {
    let lines = Box::pin(lines.peekable());
    unfold(lines, |mut lines| async {
        let first = lines.next().await?;
        let (mut bytes, mut chunk) = (length(&first), vec![first]);
        while chunk.len() < LINES_MAX
            && let Some(Some(next)) = lines.as_mut().peek().now_or_never()
        {
            bytes += length(next);
            if bytes > CHUNK_BYTES_MAX {
                break;
            }
            chunk.extend(lines.next().await);
        }
        Some((chunk, lines))
    })
}

/// In bytes.
fn length(line: &Result<Line, axum::Error>) -> usize {
    match line {
        Ok(Line::Whole(line)) => line.len(),
        Ok(Line::TooLong) | Err(_) => 0,
    }
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

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn line(bytes: usize) -> Result<Line, axum::Error> {
        Ok(Line::Whole(BytesMut::zeroed(bytes)))
    }

    #[tokio::test]
    async fn of_long_lines_few_are_held_and_of_short_ones_many() {
        let sizes = |chunks: Vec<Vec<_>>| -> Vec<_> { chunks.iter().map(Vec::len).collect() };
        let short = chunks(iter((0..LINES_MAX + 1).map(|_| line(100))));
        assert_eq!(sizes(short.collect().await), [LINES_MAX, 1]);
        let half = CHUNK_BYTES_MAX / 2;
        let long = chunks(iter([LINE_BYTES_MAX, half, half, 1, LINE_BYTES_MAX, 0].map(line)));
        assert_eq!(sizes(long.collect().await), [1, 2, 1, 1, 1]);
    }

    #[tokio::test]
    async fn what_has_arrived_waits_for_nothing_else() {
        let arriving = iter([line(1), line(2)]).chain(futures_util::stream::pending());
        let first = Box::pin(chunks(arriving)).next().now_or_never().flatten();
        assert_eq!(first.map(|chunk| chunk.len()), Some(2));
    }
}
