//! The description of the interface, OpenAPI 3.1. Routes and wire types say most of it, where they
//! are; what holds for all of them is added here.

mod errors;
mod examples;
mod failures;
mod finish;
mod preamble;
pub mod schema;
pub mod tag;

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

pub use self::preamble::preamble;

static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));

/// The description of all routes that there are, as it is served.
pub fn description() -> &'static str {
    &TEXT
}

fn document() -> Value {
    let mut document = serde_json::to_value(super::routes().into_openapi()).unwrap_or_default();
    finish::finish(&mut document);
    document
}

/// Read this description
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = tag::OPERATORS,
    operation_id = "describe",
    responses((status = 200, description = "The interface, in OpenAPI 3.1", body = serde_json::Value)),
)]
pub async fn show() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], description()).into_response()
}
