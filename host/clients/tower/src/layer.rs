//! The layer itself.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use tower_layer::Layer;
use tower_service::Service;

use crate::client::{Refusal, Reserved};
use crate::guard::Guard;
use crate::{Ask, Client, Meter, MeteredBody};

/// What becomes of a request when the service is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It is answered with 503.
    #[default]
    Deny,
    /// It goes ahead, and what it uses is recorded if the service is back within two minutes.
    Allow,
}

/// Meters the requests of which `detect` says that they will call a provider; others pass.
///
/// Quota is held while a request runs, so that requests at the same time never share the last
/// unit. It is settled when the answer has been sent, with what the handler told the [`Meter`], or
/// else with the estimate. A request that is answered with 4xx or 5xx, or not at all, is released,
/// unless its handler said that something was used. One that is refused gets the service's own
/// status and problem, with `Retry-After` and `RateLimit` where there are any.
#[derive(Debug)]
pub struct TollgateLayer<F> {
    shared: Arc<Shared<F>>,
}

/// See [`TollgateLayer`].
#[derive(Debug)]
pub struct Tollgate<S, F> {
    inner: S,
    shared: Arc<Shared<F>>,
}

#[derive(Debug)]
struct Shared<F> {
    client: Client,
    detect: F,
    on_failure: OnFailure,
}

impl<F> TollgateLayer<F> {
    /// `detect` is `Fn(&Request<B>) -> Option<Ask>`.
    pub fn new(client: Client, detect: F) -> Self {
        Self::with(client, detect, OnFailure::default())
    }

    pub fn with(client: Client, detect: F, on_failure: OnFailure) -> Self {
        Self { shared: Arc::new(Shared { client, detect, on_failure }) }
    }
}

impl<F> Clone for TollgateLayer<F> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<S: Clone, F> Clone for Tollgate<S, F> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: self.shared.clone() }
    }
}

impl<S, F> Layer<S> for TollgateLayer<F> {
    type Service = Tollgate<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        Tollgate { inner, shared: self.shared.clone() }
    }
}

impl<S, F, B, R> Service<Request<B>> for Tollgate<S, F>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    F: Fn(&Request<B>) -> Option<Ask> + Send + Sync + 'static,
    B: Send + 'static,
{
    type Response = Response<MeteredBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The one that is ready goes with the request; its copy takes the next.
        let copy = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, copy);
        let shared = self.shared.clone();
        let Some(ask) = (shared.detect)(&request) else {
            let answer = inner.call(request);
            return Box::pin(async {
                Ok(answer.await?.map(|body| MeteredBody::passed(body, None)))
            });
        };
        Box::pin(async move {
            let meter = Meter::default();
            // In a task of its own: who hangs up meanwhile leaves nothing held.
            let admitted = tokio::spawn(shared.admit(ask, meter.clone())).await;
            let mut guard = match admitted {
                Ok(Ok(guard)) => guard,
                Ok(Err(refusal)) => return Ok(refused(refusal)),
                Err(error) => return Ok(refused(away(&error))),
            };
            request.extensions_mut().insert(meter);
            let response = inner.call(request).await?;
            guard.status = Some(response.status());
            Ok(response.map(|body| MeteredBody::passed(body, Some(guard))))
        })
    }
}

impl<F> Shared<F> {
    /// What is held for the call, or nothing where it goes ahead without the service.
    async fn admit(self: Arc<Self>, ask: Ask, meter: Meter) -> Result<Guard, Refusal> {
        let reservation = match self.client.reserve(&ask).await {
            Ok(Reserved::Held(reservation)) => Some(reservation),
            Ok(Reserved::Refused(refusal)) => return Err(refusal),
            Err(_) if self.on_failure == OnFailure::Allow => None,
            Err(error) => return Err(away(&error)),
        };
        Ok(Guard::new(self.client.clone(), ask, meter, reservation))
    }
}

fn away(error: &dyn std::error::Error) -> Refusal {
    tracing::warn!(%error, "a request was turned away");
    let json = HeaderValue::from_static("application/problem+json");
    Refusal {
        status: StatusCode::SERVICE_UNAVAILABLE,
        headers: HeaderMap::from_iter([(header::CONTENT_TYPE, json)]),
        body: Bytes::from_static(
            b"{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\
              \"detail\":\"the usage service is away\"}",
        ),
    }
}

fn refused<R>(refusal: Refusal) -> Response<MeteredBody<R>> {
    let mut response = Response::new(MeteredBody::refused(refusal.body));
    *response.status_mut() = refusal.status;
    *response.headers_mut() = refusal.headers;
    response
}
