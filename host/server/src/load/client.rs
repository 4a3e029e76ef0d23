//! The three requests of a run, and their answers.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use reqwest::{RequestBuilder, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tollgate_domain::Usd;

use super::deal::{self, Dealt};
use super::trace::Row;

/// Longer than any honest answer takes, so that a hung service ends as failed calls.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A service, spoken to over connections that are kept.
pub struct Client {
    http: reqwest::Client,
    base: String,
}

pub enum Reserved {
    Held(Held),
    Refused(Denied),
}

#[derive(Deserialize)]
pub struct Held {
    pub reservation_id: String,
}

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Denied {
    pub reason: String,
    pub quota: Option<String>,
}

#[derive(Deserialize)]
pub struct Settled {
    /// Absent where nobody prices the call.
    pub cost: Option<Usd>,
}

/// An answer that no call should get, in words that repeat, so that they can be counted.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Client {
    pub fn new(url: &Url) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).tcp_nodelay(true).build()?;
        Ok(Self { http, base: url.as_str().trim_end_matches('/').to_owned() })
    }

    pub async fn subscribe(&self, subject: usize) -> Result<(), Failure> {
        let name = deal::subject_name(subject);
        let url = format!("{}/api/subscription/user/{name}/subscription", self.base);
        let body = json!({ "plan": deal::plan(subject) });
        match send(self.http.put(url), &body).await? {
            (StatusCode::OK, _) => Ok(()),
            (status, body) => Err(unexpected(status, &body)),
        }
    }

    pub async fn reserve(&self, call: Dealt, row: Row) -> Result<Reserved, Failure> {
        let body = json!({
            "subject": deal::subject_name(call.subject),
            "provider": call.provider,
            "model": call.model,
            "features": call.features,
            "usage": usage(row),
        });
        let request = self.http.post(format!("{}/v1/reservations", self.base));
        match send(request, &body).await? {
            (StatusCode::CREATED, body) => read(&body).map(Reserved::Held),
            (status, body) if status.is_client_error() => {
                let problem = serde_json::from_slice::<Problem>(&body).ok();
                let denied = problem.and_then(|problem| problem.denied);
                denied.map(Reserved::Refused).ok_or_else(|| unexpected(status, &body))
            }
            (status, body) => Err(unexpected(status, &body)),
        }
    }

    pub async fn settle(&self, held: &Held, row: Row) -> Result<Settled, Failure> {
        let url = format!("{}/v1/reservations/{}/settle", self.base, held.reservation_id);
        match send(self.http.post(url), &json!({ "usage": usage(row) })).await? {
            (StatusCode::OK, body) => read(&body),
            (status, body) => Err(unexpected(status, &body)),
        }
    }
}

#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    denied: Option<Denied>,
}

fn usage(row: Row) -> Value {
    json!({ "input_tokens": row.input_tokens, "output_tokens": row.output_tokens })
}

async fn send(request: RequestBuilder, body: &Value) -> Result<(StatusCode, Bytes), Failure> {
    let answer = async {
        let response = request.json(body).send().await?;
        Ok((response.status(), response.bytes().await?))
    };
    answer.await.map_err(|error: reqwest::Error| Failure(root_cause(&error)))
}

/// The innermost error: those around it name the URL, which differs from call to call.
fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure(format!("unreadable answer: {error}")))
}

fn unexpected(status: StatusCode, body: &[u8]) -> Failure {
    let problem = serde_json::from_slice::<Problem>(body).ok();
    match problem.and_then(|problem| problem.title) {
        Some(title) => Failure(format!("{status}: {title}")),
        None => Failure(status.to_string()),
    }
}
