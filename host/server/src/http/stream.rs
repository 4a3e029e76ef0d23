//! Answers of any length, read page by page.

use axum::BoxError;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use futures_util::stream::{TryStreamExt, try_unfold};
use tokio::task::spawn_blocking;

use super::problem::Problem;

/// Makes what pages are read from, which may block. `what` it is goes to the log.
pub async fn begin<T: Send + 'static>(
    what: &'static str,
    make: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    spawn_blocking(make).await.map_err(|error| {
        tracing::error!(%error, "the {what} broke down");
        Problem::plain(StatusCode::INTERNAL_SERVER_ERROR, format!("the {what} broke down"))
    })
}

/// The pages of a source. Each is read when the client has taken the one before: one that is slow
/// takes neither memory nor a thread.
pub fn body<T: Send + 'static>(
    what: &'static str,
    source: T,
    page: impl Fn(&mut T) -> Result<Option<Bytes>, BoxError> + Copy + Send + 'static,
) -> Body {
    let pages = try_unfold(source, move |mut source| async move {
        spawn_blocking(move || Ok(page(&mut source)?.map(|page| (page, source)))).await?
    });
    // The answer has begun: that it is not whole can only be told by breaking it off.
    Body::from_stream(pages.inspect_err(move |error: &BoxError| {
        tracing::error!(%error, "the {what} was broken off");
    }))
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    #[tokio::test]
    async fn a_failure_midway_breaks_the_answer_off() {
        let body = body("count", 0, |count| {
            *count += 1;
            match *count {
                3 => Err("there is no 3".into()),
                count => Ok(Some(Bytes::from(vec![count]))),
            }
        });
        let pages: Vec<_> = body.into_data_stream().map(Result::ok).collect().await;
        assert_eq!(pages, [Some(Bytes::from(vec![1])), Some(Bytes::from(vec![2])), None]);
    }
}
