//! What a caller is told when something does not go as asked: `application/problem+json`
//! (RFC 9457). The one place that turns errors into answers.

pub mod kinds;

use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use tollgate_domain::QuotaName;
use tollgate_engine::{ConfigProblem, LayError, RollbackError};
use tollgate_ledger::LedgerError;
use utoipa::ToSchema;

use self::kinds::Kind;
use super::decision::Denied;
use super::json::{Json, name_the_field};
use super::told::Told;
use crate::service::Error;

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

/// How a [`Problem`] is written.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "what is written is a `Problem`")]
pub struct ProblemView {
    /// Which kind of problem it is. Programs may rely on it
    #[schema(format = "uri", example = "urn:tollgate:problem:invalid-request")]
    r#type: String,
    /// The kind, for people
    title: String,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// This very problem, for people
    detail: String,
    /// What is wrong with the request, field by field
    #[schema(required = false)]
    errors: Vec<FieldError>,
    /// Why a call was refused
    #[schema(required = false, nullable = false)]
    denied: Option<Denied<'static>>,
    /// The quotas that a call does not fit
    #[schema(required = false)]
    #[serde(rename = "violated-policies")]
    violated_policies: Vec<QuotaName>,
    /// Of a list or of lines: the first event that is in doubt
    #[schema(required = false)]
    index: u64,
}

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, ToSchema)]
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
        Self { status, kind: kinds::uri(kind), title, detail: detail.into(), members: vec![] }
    }

    /// A problem of a kind that is known by name.
    pub fn of(kind: &Kind, detail: impl Into<String>) -> Self {
        Self::new(kind.status, kind.name, kind.title, detail)
    }

    /// A problem that its status says all about.
    pub fn plain(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::new(status, kinds::PLAIN, status.canonical_reason().unwrap_or("Problem"), detail)
    }

    /// A request with a field that is not as it should be.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let error = FieldError { pointer: pointer.into(), detail: detail.into() };
        let summary = error.to_string();
        Self::of(&kinds::INVALID_REQUEST, summary).with("errors", [error])
    }

    /// Its type.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    pub fn title(&self) -> &'static str {
        self.title
    }

    /// What it points at in the request.
    pub fn pointers(&self) -> Vec<String> {
        let errors = self.members.iter().find(|(name, _)| *name == "errors");
        let errors = errors.and_then(|(_, errors)| errors.as_array()).into_iter().flatten();
        errors.filter_map(|error| Some(error["pointer"].as_str()?.to_owned())).collect()
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
        response.extensions_mut().insert(Told::of(&self));
        let content_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        let kind = match error {
            Error::Usage(error) => {
                return Self::invalid(format!("/usage/{}", error.quantity()), detail);
            }
            Error::TooFarAhead => return Self::invalid("/occurred_at", detail),
            Error::UnknownPlan(_) => return Self::invalid("/plan", detail),
            Error::Rejected(rejected) if rejected.code == "invalid_usage" => {
                return Self::invalid("/usage", detail);
            }
            Error::Rejected(rejected) => {
                let Kind { status, title, .. } = kinds::REJECTED;
                return Self::new(status, &word(&rejected.code), title, detail);
            }
            Error::Lay(LayError::Refused { problems, .. }) if !problems.is_empty() => {
                return refused_by_a_policy(&problems);
            }
            Error::NoPolicies => kinds::NO_POLICIES,
            Error::UnknownFlavor { .. } => kinds::UNKNOWN_FLAVOR,
            Error::Unpriced(_) => kinds::UNPRICED,
            Error::NoPlan(_) => kinds::NO_PLAN,
            Error::UnknownEvent(_) => kinds::UNKNOWN_EVENT,
            Error::RefusedPolicy(_) => kinds::POLICY_REFUSED,
            Error::Ledger(error) => ledger(&error),
            Error::Lay(LayError::Archive(_)) | Error::Archive(_) => kinds::STORE_FAILED,
            Error::Rollback(RollbackError::Archive(_)) => kinds::STORE_FAILED,
            Error::Lay(LayError::Refused { .. }) => kinds::REFUSED,
            Error::Lay(LayError::UnknownPolicy(_)) | Error::NoPlanner | Error::NoPricer => {
                kinds::NO_SUCH_POLICY
            }
            Error::Rollback(RollbackError::Unknown(_)) => kinds::UNKNOWN_REVISION,
            Error::Rollback(RollbackError::Unusable { .. }) => kinds::UNUSABLE_REVISION,
            Error::NoSuchPlan(_) => kinds::UNKNOWN_PLAN,
            Error::NoCandidate(_) => kinds::NO_CANDIDATE,
            Error::PlanInUse(_) => kinds::PLAN_IN_USE,
            Error::BrokeDown(_) => kinds::BROKE_DOWN,
        };
        Self::of(&kind, detail)
    }
}

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
    Problem::of(&kinds::INVALID_REQUEST, detail).with("errors", errors)
}

/// The rest of a pointer that leads into an entry of a list: `/limit` of `/plans/3/limit`.
fn within_entry(pointer: &str) -> Option<&str> {
    let (_, rest) = pointer.strip_prefix('/')?.split_once('/')?;
    let end = rest.find('/').unwrap_or(rest.len());
    let (index, rest) = rest.split_at(end);
    index.bytes().all(|digit| digit.is_ascii_digit()).then_some(rest)
}

fn ledger(error: &LedgerError) -> Kind {
    match error {
        LedgerError::UnknownReservation => kinds::UNKNOWN_RESERVATION,
        LedgerError::ReservationReleased => kinds::RESERVATION_RELEASED,
        LedgerError::ReservationSettled => kinds::RESERVATION_SETTLED,
        LedgerError::Contradiction => kinds::CONTRADICTION,
        LedgerError::UnknownEvent => kinds::UNKNOWN_EVENT,
        LedgerError::UnknownAlert => kinds::UNKNOWN_ALERT,
        LedgerError::UnknownDelivery => kinds::UNKNOWN_NOTIFICATION,
        LedgerError::DeliverySent => kinds::NOTIFICATION_SENT,
        LedgerError::CorrectedMeanwhile => kinds::CORRECTED_MEANWHILE,
        LedgerError::KeyUnderWay => kinds::KEY_UNDER_WAY,
        LedgerError::KeyReused => kinds::KEY_REUSED,
        LedgerError::Overflow(_) => kinds::OVERFLOW,
        LedgerError::LostEvent(_) => {
            tracing::error!(%error, "the ledger is damaged");
            kinds::LOST_EVENT
        }
        LedgerError::Store(_) => kinds::STORE_FAILED,
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
