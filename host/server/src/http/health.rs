//! For whoever keeps the service running.

use serde_json::{Value, json};

use super::App;
use super::json::Json;
use super::problem::Problem;

/// 200 as long as the process runs.
pub async fn alive() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

/// 200 once calls can be decided.
pub async fn ready(service: App) -> Result<Json<Value>, Problem> {
    service.ready()?;
    Ok(Json(json!({ "status": "ready" })))
}
