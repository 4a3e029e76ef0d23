use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hmac::{Hmac, Mac};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::eventually;

/// A request that a receiver got.
#[derive(Clone, Debug)]
pub struct Received {
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
    /// What it was answered with; 0 for nothing at all.
    pub status: u16,
}

/// A service of somebody's own, which takes webhooks until it is dropped.
pub struct Receiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

struct State {
    received: Vec<Received>,
    status: u16,
    headers: Vec<(&'static str, String)>,
}

/// Answers nothing, for ever.
pub const SILENT: u16 = 0;

impl Receiver {
    pub async fn start(status: u16) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), status).await
    }

    /// At an address where there was one before.
    pub async fn at(address: SocketAddr, status: u16) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { received: vec![], status, headers: vec![] };
        let state = Arc::new(Mutex::new(state));
        let task = tokio::spawn(accept(listener, state.clone()));
        Self { address, state, task }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook?token=t", self.address)
    }

    /// What it answers from now on.
    pub fn answer(&self, status: u16, headers: &[(&'static str, &str)]) {
        let mut state = self.state.lock().unwrap();
        state.status = status;
        state.headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    /// All that it has received, once those are so many.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        eventually(&format!("{count} webhooks arrive"), async || {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
        .await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// When it says that it was sent, in seconds since 1970.
    pub fn timestamp(&self) -> i64 {
        self.header("webhook-timestamp").parse().unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The alerts that it tells of.
    pub fn alerts(&self) -> Vec<Value> {
        let json = self.json();
        match json["type"].as_str().unwrap() {
            "alert.raised" => vec![json["data"].clone()],
            "alert.digest" => json["data"]["alerts"].as_array().unwrap().clone(),
            other => panic!("it tells of {other}"),
        }
    }

    /// Whether one of its signatures was made with a secret.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.", self.id(), self.timestamp()).as_bytes());
        mac.update(&self.body);
        let expected = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
        self.header("webhook-signature").split(' ').any(|signature| signature == expected)
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        let answer = service_fn(move |request| answer(request, state.clone()));
        // Whoever hangs up may do so.
        let mut http = http1::Builder::new();
        // Nothing is left of a receiver that is dropped.
        http.keep_alive(false);
        tokio::spawn(http.serve_connection(TokioIo::new(stream), answer));
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = request.headers().iter().map(|(name, value)| (name.to_string(), text(value)));
    let headers = headers.collect();
    let body = request.into_body().collect().await.unwrap().to_bytes().to_vec();
    let (status, answered) = {
        let mut state = state.lock().unwrap();
        let status = state.status;
        state.received.push(Received { headers, body, status });
        (status, state.headers.clone())
    };
    if status == SILENT {
        std::future::pending::<()>().await;
    }
    let mut response = Response::builder().status(status);
    for (name, value) in answered {
        response = response.header(name, value);
    }
    Ok(response.body(Full::from("as it is")).unwrap())
}
