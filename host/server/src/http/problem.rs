//! What a caller is told when something does not go as asked: `application/problem+json`
//! (RFC 9457). The one place that turns errors into answers.

use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use tollgate_engine::{ConfigProblem, LayError, RollbackError};
use tollgate_ledger::LedgerError;

use super::json::{Json, name_the_field};
use crate::service::Error;

/// The registered type for a quota that is used up.
pub const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// For a problem that its status says all about.
const PLAIN: &str = "about:blank";

#[derive(Clone, Debug)]
pub struct Problem {
    pub status: StatusCode,
    /// A URI, or the last part of one of ours.
    kind: String,
    title: &'static str,
    pub detail: String,
    /// Members beyond those of every problem.
    pub members: Vec<(&'static str, Value)>,
}

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// A JSON Pointer (RFC 6901) into the body, or to a parameter of the query.
    pub pointer: String,
    pub detail: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => f.write_str(&self.detail),
            pointer => write!(f, "{pointer}: {}", self.detail),
        }
    }
}

impl Problem {
    /// One of our own kinds of problem.
    pub fn new(
        status: StatusCode,
        kind: &str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let kind = match kind.contains(':') {
            true => kind.to_owned(),
            false => format!("urn:tollgate:problem:{}", kind.replace('_', "-")),
        };
        Self { status, kind, title, detail: detail.into(), members: vec![] }
    }

    /// A problem that its status says all about.
    pub fn plain(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::new(status, PLAIN, status.canonical_reason().unwrap_or("Problem"), detail)
    }

    /// A request with a field that is not as it should be.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let error = FieldError { pointer: pointer.into(), detail: detail.into() };
        let summary = error.to_string();
        let problem = Self::new(
            StatusCode::BAD_REQUEST,
            "invalid-request",
            "The request is invalid",
            summary,
        );
        problem.with("errors", [error])
    }

    /// Adds a member.
    pub fn with(mut self, name: &'static str, value: impl Serialize) -> Self {
        // What cannot be written in JSON is left out: the answer is about something else.
        self.members.extend(serde_json::to_value(value).ok().map(|value| (name, value)));
        self
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4 + self.members.len()))?;
        map.serialize_entry("type", &self.kind)?;
        map.serialize_entry("title", self.title)?;
        map.serialize_entry("status", &self.status.as_u16())?;
        map.serialize_entry("detail", &self.detail)?;
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(&self)).into_response();
        let content_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        let (status, kind, title) = match error {
            Error::Usage(error) => {
                return Self::invalid(format!("/usage/{}", error.quantity()), detail);
            }
            Error::TooFarAhead => return Self::invalid("/occurred_at", detail),
            Error::UnknownPlan(_) => return Self::invalid("/plan", detail),
            Error::Rejected(rejected) if rejected.code == "invalid_usage" => {
                return Self::invalid("/usage", detail);
            }
            Error::Rejected(rejected) => {
                let title = "A policy cannot work with this call";
                return Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    &word(&rejected.code),
                    title,
                    detail,
                );
            }
            Error::NoPolicies => {
                (StatusCode::SERVICE_UNAVAILABLE, "no-policies", "Nobody can decide calls yet")
            }
            Error::UnknownFlavor { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "unknown-flavor", "The answer cannot be read")
            }
            Error::Unpriced(_) => (StatusCode::NOT_FOUND, "unpriced", "Nobody prices this"),
            Error::NoPlan(_) => (StatusCode::NOT_FOUND, "no-plan", "There is no subscription"),
            Error::UnknownEvent(_) => {
                (StatusCode::NOT_FOUND, "unknown-event", "There is no such event")
            }
            Error::RefusedPolicy(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "policy-refused", "The policy cannot be used")
            }
            Error::Ledger(error) => ledger(&error),
            Error::Lay(LayError::Refused { problems, .. }) if !problems.is_empty() => {
                return refused_by_a_policy(&problems);
            }
            Error::Lay(LayError::Archive(_)) | Error::Archive(_) => STORE_FAILED,
            Error::Rollback(RollbackError::Archive(_)) => STORE_FAILED,
            Error::Lay(LayError::Refused { .. }) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "refused", "The policies do not take it")
            }
            Error::Lay(LayError::UnknownPolicy(_)) | Error::NoPlanner | Error::NoPricer => {
                (StatusCode::CONFLICT, "no-such-policy", "There is no policy to take it")
            }
            Error::Rollback(RollbackError::Unknown(_)) => {
                (StatusCode::NOT_FOUND, "unknown-revision", "There is no such revision")
            }
            Error::Rollback(RollbackError::Unusable { .. }) => {
                (StatusCode::CONFLICT, "unusable-revision", "The revision cannot be used here")
            }
            Error::NoSuchPlan(_) => {
                (StatusCode::NOT_FOUND, "unknown-plan", "There is no such plan")
            }
            Error::NoCandidate(_) => {
                (StatusCode::NOT_FOUND, "no-candidate", "There is nothing to compare")
            }
            Error::PlanInUse(_) => (StatusCode::CONFLICT, "plan-in-use", "The plan is in use"),
            Error::BrokeDown(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "broke-down", "Something went wrong")
            }
        };
        Self::new(status, kind, title, detail)
    }
}

const STORE_FAILED: (StatusCode, &str, &str) =
    (StatusCode::SERVICE_UNAVAILABLE, "store-failed", "The ledger cannot be written");

/// What a plugin found wrong with an entry of one of its lists, as the caller wrote the entry.
fn refused_by_a_policy(problems: &[ConfigProblem]) -> Problem {
    let errors: Vec<_> = problems
        .iter()
        .map(|ConfigProblem { pointer, message }| {
            let mut pointer = within_entry(pointer).unwrap_or(pointer).to_owned();
            let detail = name_the_field(&mut pointer, message).to_owned();
            FieldError { pointer, detail }
        })
        .collect();
    let shown = errors.iter().map(FieldError::to_string);
    let detail = shown.collect::<Vec<_>>().join("; ");
    let title = "The request is invalid";
    Problem::new(StatusCode::BAD_REQUEST, "invalid-request", title, detail).with("errors", errors)
}

/// The rest of a pointer that leads into an entry of a list: `/limit` of `/plans/3/limit`.
fn within_entry(pointer: &str) -> Option<&str> {
    let (_, rest) = pointer.strip_prefix('/')?.split_once('/')?;
    let end = rest.find('/').unwrap_or(rest.len());
    let (index, rest) = rest.split_at(end);
    index.bytes().all(|digit| digit.is_ascii_digit()).then_some(rest)
}

fn ledger(error: &LedgerError) -> (StatusCode, &'static str, &'static str) {
    match error {
        LedgerError::UnknownReservation => {
            (StatusCode::NOT_FOUND, "unknown-reservation", "There is no such reservation")
        }
        LedgerError::ReservationReleased => {
            (StatusCode::CONFLICT, "reservation-released", "The reservation was released")
        }
        LedgerError::ReservationSettled => {
            (StatusCode::CONFLICT, "reservation-settled", "The reservation was settled")
        }
        LedgerError::Contradiction => {
            (StatusCode::CONFLICT, "contradiction", "Recorded before with other content")
        }
        LedgerError::UnknownEvent => {
            (StatusCode::NOT_FOUND, "unknown-event", "There is no such event")
        }
        LedgerError::UnknownAlert => {
            (StatusCode::NOT_FOUND, "unknown-alert", "There is no such alert")
        }
        LedgerError::UnknownDelivery => {
            (StatusCode::NOT_FOUND, "unknown-notification", "There is no such notification")
        }
        LedgerError::DeliverySent => {
            (StatusCode::CONFLICT, "notification-sent", "The notification has arrived")
        }
        LedgerError::CorrectedMeanwhile => {
            (StatusCode::CONFLICT, "corrected-meanwhile", "The event was corrected meanwhile")
        }
        LedgerError::KeyUnderWay => {
            (StatusCode::CONFLICT, "key-under-way", "The request is still under way")
        }
        LedgerError::KeyReused => {
            (StatusCode::UNPROCESSABLE_ENTITY, "key-reused", "The key belongs to another request")
        }
        LedgerError::Overflow(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "overflow", "More than can be counted")
        }
        LedgerError::LostEvent(_) => {
            tracing::error!(%error, "the ledger is damaged");
            (StatusCode::INTERNAL_SERVER_ERROR, "lost-event", "The ledger is damaged")
        }
        LedgerError::Store(_) => STORE_FAILED,
    }
}

/// A policy's own word, as part of a URI.
pub fn word(code: &str) -> String {
    code.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_field_is_named_in_the_detail_and_in_the_errors() {
        let problem = Problem::invalid("/usage/input_tokens", "must be a whole number");
        assert_eq!(
            serde_json::to_string(&problem).unwrap(),
            "{\"type\":\"urn:tollgate:problem:invalid-request\",\
             \"title\":\"The request is invalid\",\"status\":400,\
             \"detail\":\"/usage/input_tokens: must be a whole number\",\
             \"errors\":[{\"pointer\":\"/usage/input_tokens\",\
             \"detail\":\"must be a whole number\"}]}"
        );
    }

    #[test]
    fn a_policys_word_cannot_break_out_of_the_type() {
        assert_eq!(word("no usage:\"x\""), "no-usage--x-");
    }
}
