//! `application/x-ndjson`: any number of events, one a line.

use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use futures_util::StreamExt;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tollgate_ledger::Recorded;

use super::tally::Tally;
use crate::http::lines::{LINE_BYTES_MAX, Lines, each, lines};
use crate::http::made::use_report;
use crate::http::problem::Problem;
use crate::service::{RatedUse, Recording, Service};

/// How many chunks of lines are read and priced at once. That needs no order.
const READ_AT_ONCE: usize = 4;

/// How many chunks may wait for the disk. They share its commits; the body is not read on before
/// there is room.
const UNDER_WAY_MAX: usize = 16;

/// What becomes of each line of a chunk; an outer error is one of the whole body, and the last.
type Chunk<T> = Vec<Result<Result<T, Problem>, Problem>>;

pub fn is_ndjson(media_type: &str) -> bool {
    media_type.eq_ignore_ascii_case("application/x-ndjson")
}

/// Records events as they arrive, in their order. What is on disk stays there, whatever becomes
/// of the rest; a problem that ends it all has the `index` of the first event that is in doubt.
///
/// This thread only hands chunks on, since others have connections on it too.
pub async fn record(service: &Arc<Service>, body: Body) -> Result<Tally, Problem> {
    let [to_rate, to_begin, to_end] = [(); 3].map(|()| service.clone());
    let rated = lines(body)
        .map(move |lines| apart(to_rate.clone(), |service| rate(service, lines)))
        .buffered(READ_AT_ONCE);
    let begun = rated.then(move |rated| apart(to_begin.clone(), |service| begin(service, rated)));
    let ended = begun.map(move |begun| end(to_end.clone(), begun)).buffered(UNDER_WAY_MAX);
    let mut ended = pin!(ended);
    let mut tally = Tally::default();
    while let Some(chunk) = ended.next().await {
        for outcome in chunk {
            tally.count(outcome.map_err(|problem| problem.with("index", tally.counted()))?);
        }
    }
    Ok(tally)
}

/// Does something with a chunk on a thread that may block.
async fn apart<T: Send + 'static>(
    service: Arc<Service>,
    act: impl FnOnce(&Service) -> Chunk<T> + Send + 'static,
) -> Chunk<T> {
    spawn_blocking(move || act(&service)).await.unwrap_or_else(|error| {
        tracing::error!(%error, "the reading of lines broke down");
        let detail = "the reading of lines broke down";
        vec![Err(Problem::plain(StatusCode::INTERNAL_SERVER_ERROR, detail))]
    })
}

/// Reads lines, and prices what they say.
fn rate(service: &Service, lines: Result<Lines, axum::Error>) -> Chunk<RatedUse> {
    match lines {
        Ok(Lines::Whole(lines)) => {
            let lines = each(&lines).filter(|line| !line.trim_ascii().is_empty());
            lines.map(|line| of_one(rate_one(service, line))).collect()
        }
        Ok(Lines::TooLong) => {
            let detail = format!("the line must not be longer than {LINE_BYTES_MAX} bytes");
            vec![Ok(Err(Problem::plain(StatusCode::PAYLOAD_TOO_LARGE, detail)))]
        }
        Err(_) => {
            vec![Err(Problem::plain(StatusCode::BAD_REQUEST, "the body did not arrive whole"))]
        }
    }
}

fn rate_one(service: &Service, line: &[u8]) -> Result<RatedUse, Problem> {
    // Who pays is asked of the ledger, where a price depends on it.
    Ok(Handle::current().block_on(service.rate_use(use_report(line)?))?)
}

/// Decides on uses, in their order.
fn begin(service: &Service, rated: Chunk<RatedUse>) -> Chunk<Recording> {
    let mut begun = Vec::with_capacity(rated.len());
    for rated in rated {
        let outcome = rated
            .and_then(|rated| of_one(rated.and_then(|rated| Ok(service.begin_recording(rated)?))));
        let is_last = outcome.is_err();
        begun.push(outcome);
        if is_last {
            break;
        }
    }
    begun
}

/// Hears what became of them.
async fn end(service: Arc<Service>, begun: Chunk<Recording>) -> Chunk<Recorded> {
    let mut ended = Vec::with_capacity(begun.len());
    for begun in begun {
        ended.push(match begun {
            Ok(Ok(recording)) => {
                of_one(service.end_recording(recording).await.map_err(Problem::from))
            }
            Ok(Err(problem)) => Ok(Err(problem)),
            Err(problem) => Err(problem),
        });
    }
    ended
}

/// Tells a line's problem from one that is not its fault: the next one would fare no better.
fn of_one<T>(outcome: Result<T, Problem>) -> Result<Result<T, Problem>, Problem> {
    match outcome {
        Err(problem) if problem.status == StatusCode::SERVICE_UNAVAILABLE => Err(problem),
        outcome => Ok(outcome),
    }
}
