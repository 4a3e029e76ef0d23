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
mod quotas;
mod subscriptions;
mod track;
mod trends;
mod usage;
mod user;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post, put};

use super::App;
use super::problem::Problem;
use crate::service::Service;
use envelope::Exception;

pub fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/plans", get(plans::list))
        .route("/plans/{plan}", put(plans::change).delete(plans::delete))
        .route("/pricing", get(pricing::list))
        .route("/pricing/{provider}/{model}", put(pricing::change))
        .route("/user/{user_id}/subscription", get(subscriptions::show).put(subscriptions::change))
        .route("/usage/{user_id}", get(usage::show))
        .route("/billing-history/{user_id}", get(billing::show))
        .route("/usage/{user_id}/trends", get(trends::show))
        .route("/usage-logs/{user_id}", get(logs::list))
        .route("/alerts/{user_id}", get(alerts::list))
        .route("/alerts/{alert_id}/mark-read", post(alerts::mark_read))
        .route("/dashboard/{user_id}", get(dashboard::show))
        .route("/enforce", post(enforce::enforce))
        .route("/track", post(track::track))
        .route("/user/{user_id}/subscription/history", get(subscriptions::history))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
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
