//! For whoever keeps the service running.

use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::json::Json;
use super::openapi::tag;
use super::problem::{Problem, kinds};

#[derive(Serialize, ToSchema)]
pub struct Health {
    status: &'static str,
}

/// Does the process run?
///
/// As long as it does, 200.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = tag::OPERATORS,
    operation_id = "alive",
    responses((status = 200, description = "It does", body = Health)),
)]
pub async fn alive() -> Json<Health> {
    Json(Health { status: "alive" })
}

/// Can calls be decided?
#[utoipa::path(
    get,
    path = "/readyz",
    tag = tag::OPERATORS,
    operation_id = "ready",
    responses((status = 200, description = "They can", body = Health)),
    extensions(("x-problems" = json!([kinds::NO_POLICIES]))),
)]
pub async fn ready(service: App) -> Result<Json<Health>, Problem> {
    service.ready()?;
    Ok(Json(Health { status: "ready" }))
}
