//! The requests to the service. All can be sent again without harm: a reservation has a key, a
//! settlement its reservation, and an event its name.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Ask;

const TIMEOUT: Duration = Duration::from_secs(2);

/// How often something is told to a service that is away, at doubling distances: for two minutes.
const ATTEMPTS: u32 = 9;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Of the service's answer, what the caller is told.
const PASSED_ON: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    header::RETRY_AFTER,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
];

/// A service, spoken to over connections that are kept. Copies share them.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
}

/// The service gave no answer of its own in time.
#[derive(Debug, thiserror::Error)]
#[error("the usage service cannot be reached: {0}")]
pub struct Unreachable(String);

pub(crate) enum Reserved {
    /// The reservation's id.
    Held(String),
    Refused(Refusal),
}

/// The service's own words, for whoever made the request.
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Where to tell what was used, and what.
pub(crate) struct Telling {
    path: String,
    body: Value,
}

#[derive(Deserialize)]
struct Held {
    reservation_id: String,
}

#[derive(Deserialize)]
struct Problem {
    denied: Option<Value>,
}

impl Client {
    /// `url` is where the service is, such as `http://127.0.0.1:8080`.
    pub fn new(url: &str) -> Result<Self, Unreachable> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).tcp_nodelay(true).build();
        let http = http.map_err(|error| Unreachable(error.to_string()))?;
        Ok(Self { http, base: url.trim_end_matches('/').to_owned() })
    }

    pub(crate) async fn reserve(&self, ask: &Ask) -> Result<Reserved, Unreachable> {
        let request = self.post("/v1/reservations", ask);
        let key = format!("{:032x}", fastrand::u128(..));
        let (status, headers, body) = answer(request.header("idempotency-key", key)).await?;
        if status == StatusCode::CREATED {
            let held = serde_json::from_slice::<Held>(&body);
            let held = held.map_err(|error| Unreachable(error.to_string()))?;
            return Ok(Reserved::Held(held.reservation_id));
        }
        let problem = serde_json::from_slice::<Problem>(&body).ok();
        let refused = problem.is_some_and(|problem| problem.denied.is_some());
        match refused || status == StatusCode::BAD_REQUEST {
            true => Ok(Reserved::Refused(Refusal { status, headers: passed_on(&headers), body })),
            false => Err(Unreachable(format!("it answered {status}"))),
        }
    }

    /// Gives back what is held, so that others have it before it expires.
    pub(crate) async fn release(&self, reservation: &str) {
        for pause in pauses() {
            if self.released(reservation).await {
                return;
            }
            tokio::time::sleep(pause).await;
        }
        if !self.released(reservation).await {
            tracing::warn!(reservation, "what is held is left to expire: the service is away");
        }
    }

    /// Tells it until the service has it, or has been away for too long.
    pub(crate) async fn tell(&self, telling: Telling) {
        for pause in pauses() {
            if self.told(&telling).await {
                return;
            }
            tokio::time::sleep(pause).await;
        }
        if !self.told(&telling).await {
            tracing::error!(path = telling.path, "what was used is lost: the service is away");
        }
    }

    /// Whether the service has answered: that it knows of no such reservation is an answer too.
    async fn released(&self, reservation: &str) -> bool {
        let url = format!("{}/v1/reservations/{reservation}", self.base);
        let answer = answer(self.http.delete(url)).await;
        answer.is_ok_and(|(status, ..)| !status.is_server_error() && status.as_u16() != 429)
    }

    async fn told(&self, telling: &Telling) -> bool {
        match answer(self.post(&telling.path, &telling.body)).await {
            Ok((status, ..)) if status.is_success() => true,
            Ok((status, _, body)) if matches!(status.as_u16(), 400 | 409 | 413 | 422) => {
                let said = String::from_utf8_lossy(&body);
                tracing::error!(%status, %said, "the service does not take what was used");
                true
            }
            Ok(_) | Err(_) => false,
        }
    }

    fn post(&self, path: &str, body: &impl Serialize) -> reqwest::RequestBuilder {
        self.http.post(format!("{}{path}", self.base)).json(body)
    }
}

impl Telling {
    /// What a held call used.
    pub fn settlement(reservation: &str, used: Value) -> Self {
        Self { path: format!("/v1/reservations/{reservation}/settle"), body: used }
    }

    /// What a call used that went ahead without the service.
    pub fn event(ask: &Ask, mut used: Value) -> Self {
        let named = json!({
            "event_id": format!("tower-{:032x}", fastrand::u128(..)),
            "subject": ask.subject,
            "provider": ask.provider,
            "model": ask.model,
            "endpoint": ask.endpoint,
        });
        if let (Value::Object(used), Value::Object(named)) = (&mut used, named) {
            used.extend(named.into_iter().filter(|(_, value)| !value.is_null()));
        }
        Self { path: "/v1/usage".to_owned(), body: used }
    }
}

/// What lies between one attempt and the next.
fn pauses() -> impl Iterator<Item = Duration> + Send {
    (1..ATTEMPTS).map(|attempt| FIRST_PAUSE * 2_u32.pow(attempt - 1))
}

async fn answer(
    request: reqwest::RequestBuilder,
) -> Result<(StatusCode, HeaderMap, Bytes), Unreachable> {
    let answer = async {
        let response = request.send().await?;
        Ok((response.status(), response.headers().clone(), response.bytes().await?))
    };
    answer.await.map_err(|error: reqwest::Error| Unreachable(error.to_string()))
}

fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let known = PASSED_ON.into_iter();
    known.filter_map(|name| headers.get(&name).cloned().map(|value| (name, value))).collect()
}
