//! `/api/subscription`: the endpoints of the seed document, for dashboards. Money is a JSON
//! number here, and errors come in an envelope of their own.

mod alerts;
mod billing;
mod dashboard;
mod enforce;
mod envelope;
mod limits;
mod logs;
mod page;
mod plans;
mod price_details;
mod pricing;
mod subscriptions;
mod track;
mod trends;
mod usage;
mod user;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use self::envelope::{Failure, LIMIT_EXCEEDED, PRICING, SUBSCRIPTION, TRACKING};
use super::App;
use super::problem::Problem;
use crate::service::Service;
use envelope::Exception;

/// Where the family lives.
pub const PREFIX: &str = "/api/subscription";

pub fn routes() -> OpenApiRouter<Arc<Service>> {
    let (router, description) = OpenApiRouter::new()
        .routes(routes!(plans::list))
        .routes(routes!(plans::change, plans::delete))
        .routes(routes!(pricing::list))
        .routes(routes!(pricing::change))
        .routes(routes!(subscriptions::show, subscriptions::change))
        .routes(routes!(subscriptions::history))
        .routes(routes!(usage::show))
        .routes(routes!(trends::show))
        .routes(routes!(logs::list))
        .routes(routes!(billing::show))
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::mark_read))
        .routes(routes!(dashboard::show))
        .routes(routes!(enforce::enforce))
        .routes(routes!(track::track))
        .split_for_parts();
    let router = router.fallback(unknown_route).method_not_allowed_fallback(wrong_method);
    let mut routes = OpenApiRouter::from(router);
    *routes.get_openapi_mut() = description;
    routes
}

async fn unknown_route(service: App) -> Response {
    let problem = Problem::plain(StatusCode::NOT_FOUND, "there is nothing at this path");
    envelope::failure(&service, Exception::Subscription, None, &problem)
}

async fn wrong_method(service: App) -> Response {
    let detail = "this path does not take that method";
    let problem = Problem::plain(StatusCode::METHOD_NOT_ALLOWED, detail);
    envelope::failure(&service, Exception::Subscription, None, &problem)
}
