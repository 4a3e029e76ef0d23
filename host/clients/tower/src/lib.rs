//! A [tower](https://docs.rs/tower-layer) layer that meters requests with Tollgate: it holds quota
//! before a request runs, and settles with what was used when its answer has been sent.
//!
//! ```no_run
//! use axum::extract::{Extension, Request};
//! use axum::{Router, routing::post};
//! use tollgate_tower::{Ask, Client, Meter, TollgateLayer};
//!
//! async fn generate(Extension(meter): Extension<Meter>) -> &'static str {
//!     meter.used("input_tokens", 1000).used("output_tokens", 500);
//!     "…"
//! }
//!
//! # fn app() -> Result<Router, tollgate_tower::Unreachable> {
//! let client = Client::new("http://127.0.0.1:8080")?;
//! let layer = TollgateLayer::new(client, |request: &Request| {
//!     let user = request.headers().get("x-user-id")?.to_str().ok()?;
//!     Some(Ask::new(user, "gemini").model("gemini-2.5-flash"))
//! });
//! let app = Router::new().route("/generate", post(generate)).layer(layer);
//! # Ok(app)
//! # }
//! ```

mod ask;
mod body;
mod client;
mod guard;
mod layer;
mod meter;

pub use ask::Ask;
pub use body::MeteredBody;
pub use client::{Client, Unreachable};
pub use layer::{OnFailure, Tollgate, TollgateLayer};
pub use meter::Meter;
