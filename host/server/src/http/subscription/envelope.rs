//! The family's envelope: `{"success":true,"data":…}`, or what went wrong.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use tollgate_domain::Timestamp;

use super::user::User;
use crate::http::json::Json;
use crate::http::problem::Problem;
use crate::service::{Error, Service};

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

#[derive(Serialize)]
struct Failure<'a> {
    success: bool,
    error: &'static str,
    message: &'a str,
    details: BTreeMap<&'static str, &'a Value>,
    user_id: Option<&'a str>,
    timestamp: Timestamp,
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
        (StatusCode::TOO_MANY_REQUESTS, _) => "UsageLimitExceededException",
        (_, Exception::Pricing) => "PricingException",
        (_, Exception::Tracking) => "TrackingException",
        (_, Exception::Subscription) => "SubscriptionException",
    };
    let body = Failure {
        success: false,
        error,
        message: &problem.detail,
        details: problem.members.iter().map(|(name, value)| (*name, value)).collect(),
        user_id: user.and_then(User::as_str),
        timestamp: service.now(),
    };
    (problem.status, Json(body)).into_response()
}
