//! HTTP: the wire formats, and the table of routes. No rule of metering lives here.

mod alert;
mod ask;
mod backup;
mod check;
mod decision;
mod docs;
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
mod openapi;
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
mod told;
mod traffic;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use tokio::net::TcpListener;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};
use tower_service::Service as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use self::export::Selection;
pub use self::observe::request_id;
pub use self::openapi::description;
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

/// All routes, with what the description says of them.
fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::with_openapi(openapi::preamble())
        .routes(routes!(check::check))
        .routes(routes!(reservations::reserve))
        .routes(routes!(reservations::show, reservations::release))
        .routes(routes!(reservations::settle))
        .routes(routes!(usage::record, usage::find))
        .routes(routes!(usage::corrections::correct))
        .routes(routes!(quote::quote))
        .routes(routes!(rerate::rerate))
        .routes(routes!(refusals::list))
        .routes(routes!(preferences::show, preferences::put, preferences::delete))
        .routes(routes!(
            preferences::show_default,
            preferences::put_default,
            preferences::delete_default
        ))
        .routes(routes!(notifications::list))
        .routes(routes!(notifications::retry))
        .routes(routes!(policies::show))
        .routes(routes!(policies::reload))
        .routes(routes!(policies::revisions))
        .routes(routes!(policies::roll_back))
        .routes(routes!(policies::shadow))
        .routes(routes!(policies::faults))
        .routes(routes!(export::export))
        .routes(routes!(backup::backup))
        .nest(subscription::PREFIX, subscription::routes())
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::show))
        .routes(routes!(openapi::show))
        .routes(routes!(docs::page))
        .routes(routes!(docs::file))
}

fn router(service: Arc<Service>) -> Router {
    let (router, _) = routes().split_for_parts();
    router.fallback(unknown_route).method_not_allowed_fallback(wrong_method).with_state(service)
}

async fn unknown_route() -> Problem {
    nothing_here()
}

fn nothing_here() -> Problem {
    Problem::of(&problem::kinds::NOTHING_HERE, "there is nothing at this path")
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
