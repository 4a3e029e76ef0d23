//! HTTP: the wire formats, and the table of routes. No rule of metering lives here.

mod alert;
mod ask;
mod backup;
mod check;
mod decision;
mod export;
mod fields;
mod fingerprint;
mod health;
mod idempotency;
mod json;
mod lines;
mod made;
mod money;
mod observe;
mod path;
mod policies;
mod problem;
mod quote;
mod rate_limit;
mod receipt;
mod refusals;
mod rerate;
mod reservations;
mod serve;
mod stream;
mod subscription;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

pub use self::export::Selection;
pub use self::rerate::{Question as RerateQuestion, RerateView};
use crate::service::Service;
use problem::Problem;

/// What every handler works with.
type App = axum::extract::State<Arc<Service>>;

/// Answers what comes in until `stop` resolves, and then what is under way. Pages of
/// `cors_origins` may read the answers.
pub async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    cors_origins: Vec<HeaderValue>,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    serve::serve(listener, router(service, &cors_origins), stop).await
}

/// All routes. Pages of `cors_origins` may read the answers.
fn router(service: Arc<Service>, cors_origins: &[HeaderValue]) -> Router {
    let router = Router::new()
        .route("/v1/check", post(check::check))
        .route("/v1/reservations", post(reservations::reserve))
        .route("/v1/reservations/{id}", get(reservations::show).delete(reservations::release))
        .route("/v1/reservations/{id}/settle", post(reservations::settle))
        .route("/v1/usage", post(usage::record).get(usage::find))
        .route("/v1/usage/corrections", post(usage::corrections::correct))
        .route("/v1/quote", post(quote::quote))
        .route("/v1/refusals", get(refusals::list))
        .route("/v1/policies", get(policies::show))
        .route("/v1/policies/reload", post(policies::reload))
        .route("/v1/export", get(export::export))
        .route("/v1/backup", get(backup::backup))
        .route("/v1/rerate", post(rerate::rerate))
        .nest("/api/subscription", subscription::routes())
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .with_state(service);
    match cors_origins {
        [] => router,
        origins => router.layer(cors(origins)),
    }
}

async fn unknown_route() -> Problem {
    Problem::plain(StatusCode::NOT_FOUND, "there is nothing at this path")
}

async fn wrong_method() -> Problem {
    Problem::plain(StatusCode::METHOD_NOT_ALLOWED, "this path does not take that method")
}

fn cors(origins: &[HeaderValue]) -> CorsLayer {
    let origin = match origins.iter().any(|origin| origin == "*") {
        true => AllowOrigin::any(),
        false => AllowOrigin::list(origins.iter().cloned()),
    };
    let exposed =
        ["x-request-id", "ratelimit", "ratelimit-policy", "retry-after", idempotency::REPLAYED];
    CorsLayer::new()
        .allow_origin(origin)
        .allow_methods(Any)
        .allow_headers(Any)
        .expose_headers(exposed.map(HeaderName::from_static))
}
