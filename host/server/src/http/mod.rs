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
mod metrics;
mod money;
mod notifications;
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
mod traffic;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};
use tower_service::Service as _;

pub use self::export::Selection;
pub use self::observe::request_id;
pub use self::rerate::{Question as RerateQuestion, RerateView};
use crate::service::Service;
use notifications::preferences;
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
    serve::serve(listener, Routes::new(service, &cors_origins), stop).await
}

/// Whoever answers a request.
#[derive(Clone)]
struct Routes {
    router: Router,
    /// `None` where every answer takes the way through the router's layers.
    service: Option<Arc<Service>>,
}

impl Routes {
    /// Pages of `cors_origins` may read the answers.
    fn new(service: Arc<Service>, cors_origins: &[HeaderValue]) -> Self {
        let router = router(service.clone());
        match cors_origins {
            [] => Self { router, service: Some(service) },
            origins => Self { router: router.layer(cors(origins)), service: None },
        }
    }

    /// What apps ask around each of their calls goes to its handler at once: to be found by the
    /// router takes a request as long as to be decided.
    async fn answer(mut self, request: Request) -> Response {
        if let Some(service) = self.service {
            match (request.method(), request.uri().path()) {
                (&Method::POST, "/v1/check") => return check::check.call(request, service).await,
                (&Method::POST, "/v1/reservations") => {
                    return reservations::reserve.call(request, service).await;
                }
                (&Method::POST, "/v1/usage") => return usage::record.call(request, service).await,
                (&Method::POST, path) if path::settles(path) => {
                    return reservations::settle.call(request, service).await;
                }
                _ => {}
            }
        }
        match self.router.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/v1/check", post(check::check))
        .route("/v1/reservations", post(reservations::reserve))
        .route("/v1/reservations/{id}", get(reservations::show).delete(reservations::release))
        .route("/v1/reservations/{id}/settle", post(reservations::settle))
        .route("/v1/usage", post(usage::record).get(usage::find))
        .route("/v1/usage/corrections", post(usage::corrections::correct))
        .route("/v1/quote", post(quote::quote))
        .route("/v1/refusals", get(refusals::list))
        .route(
            "/v1/subjects/{subject}/notifications",
            get(preferences::show).put(preferences::put).delete(preferences::delete),
        )
        .route(
            "/v1/notifications/default",
            get(preferences::show_default)
                .put(preferences::put_default)
                .delete(preferences::delete_default),
        )
        .route("/v1/notifications", get(notifications::list))
        .route("/v1/notifications/{id}/retry", post(notifications::retry))
        .route("/v1/policies", get(policies::show))
        .route("/v1/policies/reload", post(policies::reload))
        .route("/v1/policies/revisions", get(policies::revisions))
        .route("/v1/policies/rollback", post(policies::roll_back))
        .route("/v1/policies/{name}/shadow", get(policies::shadow))
        .route("/v1/policies/{name}/faults", get(policies::faults))
        .route("/v1/export", get(export::export))
        .route("/v1/backup", get(backup::backup))
        .route("/v1/rerate", post(rerate::rerate))
        .nest("/api/subscription", subscription::routes())
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .with_state(service)
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
