//! Webhooks: a POST that is signed, and answered with a status of 2xx.
//!
//! The client knows no proxy, follows nothing, and resolves names to addresses that the guard
//! allows: the check and the connection cannot see different ones.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;
use tollgate_domain::{Timestamp, WebhookSecret, WebhookUrl};
use tower_service::Service;

use super::message::Message;
use super::signature::signatures;
use super::{Failure, Guard};

/// Of an answer that says what went wrong, no more is read.
const ANSWER_BYTES_MAX: usize = 1024;

/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(30);

pub struct Webhooks {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    guard: Guard,
    timeout: Duration,
}

/// Resolves names, and keeps to itself what is not allowed.
#[derive(Clone)]
struct Resolver {
    system: GaiResolver,
    guard: Guard,
}

impl Webhooks {
    pub fn new(guard: Guard, timeout: Duration) -> anyhow::Result<Self> {
        let mut connector =
            HttpConnector::new_with_resolver(Resolver { system: GaiResolver::new(), guard });
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(timeout));
        let provider = rustls::crypto::ring::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .context("cannot read the certificates that this system trusts")?
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_idle_timeout(IDLE).pool_max_idle_per_host(1);
        Ok(Self { client: client.build(connector), guard, timeout })
    }

    pub async fn send(
        &self,
        url: &WebhookUrl,
        secrets: &[WebhookSecret],
        message: &Message,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let uri = self
            .guard
            .check(url.as_str())
            .map_err(|why| Failure::down(format!("the URL {why}")))?;
        let (body, seconds) = (message.json(), now.micros().div_euclid(1_000_000));
        let request = Request::post(uri)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("tollgate/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signatures(secrets, &message.id, seconds, &body))
            .body(Full::from(body))
            .map_err(|error| Failure::permanent(error.to_string()))?;
        let answered = timeout(self.timeout, self.exchange(request)).await;
        answered.unwrap_or_else(|_| {
            Err(Failure::down(format!("no answer within {} s", self.timeout.as_secs())))
        })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(), Failure> {
        let response = self.client.request(request).await;
        let response = response.map_err(|error| Failure::down(whole(&error)))?;
        let status = response.status();
        let retry_after = retry_after(&response);
        let said = beginning(response.into_body()).await;
        if status.is_success() {
            return Ok(());
        }
        let error = match said.trim() {
            "" => format!("the answer was {status}"),
            said => format!("the answer was {status}: {said}"),
        };
        Err(Failure {
            error,
            // The receiver says that it is gone for good.
            is_permanent: status == StatusCode::GONE,
            is_down: status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS,
            retry_after,
        })
    }
}

/// The first bytes of an answer, as far as they are text. Reading a short one to its end lets the
/// connection be used again.
async fn beginning(mut body: Incoming) -> String {
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        bytes.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
        if bytes.len() >= ANSWER_BYTES_MAX {
            bytes.truncate(ANSWER_BYTES_MAX);
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn retry_after(response: &Response<Incoming>) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?;
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// An error and what led to it: hyper says least where it matters most.
fn whole(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = error.source();
    }
    text
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (guard, resolved) = (self.guard, self.system.call(name));
        Box::pin(async move {
            let all: Vec<_> = resolved.await?.collect();
            let allowed: Vec<_> =
                all.iter().filter(|address| guard.allows(address.ip())).copied().collect();
            match allowed.is_empty() && !all.is_empty() {
                true => Err(std::io::Error::other("its addresses are not public")),
                false => Ok(allowed.into_iter()),
            }
        })
    }
}
