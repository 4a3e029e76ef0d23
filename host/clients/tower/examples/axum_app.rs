//! An axum app whose users are metered.
//!
//! With Tollgate running (`make run`), `cargo run --release -p tollgate-tower --example axum_app`,
//! and then `curl -s -X POST 127.0.0.1:3000/generate -H 'x-user-id: ann'`.

use std::error::Error;

use axum::extract::{Extension, Request};
use axum::{Router, routing::post};
use tokio::net::TcpListener;
use tollgate_tower::{Ask, Client, Meter, OnFailure, TollgateLayer};

const MODEL: &str = "gemini-2.5-flash";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::var("TOLLGATE_URL").unwrap_or_else(|_| "http://127.0.0.1:8080".to_owned());
    let layer = TollgateLayer::with(Client::new(&url)?, detect, OnFailure::Allow);
    let app = Router::new().route("/generate", post(generate)).layer(layer);
    axum::serve(TcpListener::bind("127.0.0.1:3000").await?, app).await?;
    Ok(())
}

/// A real app takes the user from its session: who may choose the header chooses who pays.
fn detect(request: &Request) -> Option<Ask> {
    let user = request.headers().get("x-user-id")?.to_str().ok()?;
    Some(Ask::new(user, "gemini").model(MODEL).endpoint(request.uri().path()))
}

/// Stands for a call that costs money.
async fn generate(Extension(meter): Extension<Meter>) -> &'static str {
    meter.used("input_tokens", 1000).used("output_tokens", 500);
    "generated\n"
}
