//! What is noted of every request: an id on the answer, a span, and how it ended.

use std::io::Write;
use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use tracing::Instrument;

use super::Routes;
use super::told::Told;
use super::traffic::TRAFFIC;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const ID_BYTES_MAX: usize = 128;

tokio::task_local! {
    /// The id of the request that this task answers.
    static CURRENT: HeaderValue;
}

/// The id of the request on whose behalf this code runs, if it runs for one.
pub fn request_id() -> Option<String> {
    CURRENT.try_with(|id| as_text(id).to_owned()).ok()
}

/// Has a request answered. Success is noted at the level of debugging, so that at a usual level it
/// costs next to nothing. Neither bodies nor queries are logged.
pub async fn observe(request: Request, routes: Routes) -> Response {
    let begun = Instant::now();
    let id = request.headers().get(&REQUEST_ID).filter(|id| is_sane(id)).cloned();
    let id = id.unwrap_or_else(new_id);
    let method = request.method().clone();
    // A clone shares the bytes.
    let uri = request.uri().clone();
    let span = tracing::debug_span!("request", id = as_text(&id), %method, path = uri.path());
    let answer = routes.answer(request).instrument(span);
    let mut response = CURRENT.scope(id.clone(), answer).await;
    let status = response.status();
    let latency = begun.elapsed();
    TRAFFIC.note(uri.path(), status, latency);
    let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    let (id_text, status_code, path) = (as_text(&id), status.as_u16(), uri.path());
    if let Some(told) = response.extensions_mut().remove::<Told>() {
        told.note(id_text, method.as_str(), path, status_code);
    }
    if status.is_server_error() {
        tracing::warn!(id = id_text, %method, path, status = status_code, latency_us, "failed");
    } else {
        tracing::debug!(id = id_text, %method, path, status = status_code, latency_us, "answered");
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// Short, and printable in any log.
fn is_sane(id: &HeaderValue) -> bool {
    let length = id.as_bytes().len();
    (1..=ID_BYTES_MAX).contains(&length) && id.as_bytes().iter().all(u8::is_ascii_graphic)
}

fn new_id() -> HeaderValue {
    let mut hex = [0; 16];
    // Sixteen digits fit, and are valid in a header.
    let _ = write!(&mut hex[..], "{:016x}", fastrand::u64(..));
    HeaderValue::from_bytes(&hex).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

fn as_text(id: &HeaderValue) -> &str {
    id.to_str().unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_that_are_safe_to_log_are_taken_over() {
        let sane = |id: &[u8]| is_sane(&HeaderValue::from_bytes(id).unwrap());
        assert!(sane(b"req-7/a:b"));
        assert!(!sane(b"") && !sane(b"a b") && !sane("é".as_bytes()) && !sane(&[b'a'; 129]));
    }

    #[test]
    fn ids_are_sixteen_digits_and_differ() {
        assert_eq!(new_id().as_bytes().len(), 16);
        assert_ne!(new_id(), new_id());
    }
}
