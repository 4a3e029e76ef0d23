//! The policies in force, for operators.

use tollgate_engine::PolicyStatus;

use super::App;
use super::json::Json;

pub async fn show(service: App) -> Json<PolicyStatus> {
    Json(service.policy_status())
}

/// Looks at the folder now, and shows what came of it.
pub async fn reload(service: App) -> Json<PolicyStatus> {
    Json(service.reload().await)
}
