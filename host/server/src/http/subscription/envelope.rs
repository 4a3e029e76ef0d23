//! The family's envelope: `{"success":true,"data":…}`, or what went wrong.

use std::collections::BTreeMap;

use axum::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use tollgate_domain::Timestamp;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::user::User;
use crate::http::json::Json;
use crate::http::openapi::schema::words;
use crate::http::problem::Problem;
use crate::http::told::Told;
use crate::service::{Error, Service};

pub const LIMIT_EXCEEDED: &str = "UsageLimitExceededException";
pub const PRICING: &str = "PricingException";
pub const TRACKING: &str = "TrackingException";
pub const SUBSCRIPTION: &str = "SubscriptionException";

/// The seed's names for what can go wrong.
#[derive(Clone, Copy)]
pub enum Exception {
    Pricing,
    Tracking,
    Subscription,
}

impl Exception {
    /// What an error is called of a request whose own failures are called this.
    pub fn of(self, error: &Error) -> Self {
        match error {
            Error::Rejected(_) | Error::UnknownFlavor { .. } | Error::Unpriced(_) => Self::Pricing,
            _ => self,
        }
    }
}

/// What went wrong, under its name.
pub struct Failed(pub Exception, pub Problem);

#[derive(Serialize)]
struct Success<T> {
    success: bool,
    data: T,
}

#[derive(Serialize, ToSchema)]
pub struct Failure<'a> {
    success: bool,
    #[schema(schema_with = exceptions)]
    error: &'static str,
    message: &'a str,
    /// What there is to say beyond the message: `errors` of an invalid request, and where a limit
    /// is met, `provider`, `limit_type`, `current_usage` and `limit_value`
    #[schema(value_type = BTreeMap<String, Value>)]
    details: BTreeMap<&'static str, &'a Value>,
    #[schema(required)]
    user_id: Option<&'a str>,
    timestamp: Timestamp,
}

/// That what was asked for is done.
#[derive(Serialize, ToSchema)]
#[schema(as = Done)]
pub struct Message {
    pub message: &'static str,
}

fn exceptions() -> Object {
    words([LIMIT_EXCEEDED, PRICING, TRACKING, SUBSCRIPTION])
}

/// Puts an answer in its envelope.
pub fn answer<T: Serialize>(
    service: &Service,
    exception: Exception,
    user: Option<&User>,
    outcome: Result<T, &Problem>,
) -> Response {
    match outcome {
        Ok(data) => Json(Success { success: true, data }).into_response(),
        Err(problem) => failure(service, exception, user, problem),
    }
}

pub fn failure(
    service: &Service,
    exception: Exception,
    user: Option<&User>,
    problem: &Problem,
) -> Response {
    let error = match (problem.status, exception) {
        (StatusCode::TOO_MANY_REQUESTS, _) => LIMIT_EXCEEDED,
        (_, Exception::Pricing) => PRICING,
        (_, Exception::Tracking) => TRACKING,
        (_, Exception::Subscription) => SUBSCRIPTION,
    };
    let body = Failure {
        success: false,
        error,
        message: &problem.detail,
        details: problem.members.iter().map(|(name, value)| (*name, value)).collect(),
        user_id: user.and_then(User::as_str),
        timestamp: service.now(),
    };
    let user = user.and_then(User::as_str).map(str::to_owned);
    let told = Told::of(problem).named(error, user);
    (problem.status, Extension(told), Json(body)).into_response()
}
