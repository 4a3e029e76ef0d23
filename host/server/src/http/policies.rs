//! The policies in force, for operators.

use tollgate_engine::PolicyStatus;

use super::App;
use super::answer::Json;
use super::problem::Problem;

pub async fn show(service: App) -> Json<PolicyStatus> {
    Json(service.policy_status())
}

/// Looks at the folder now, and shows what came of it.
pub async fn reload(service: App) -> Result<Json<PolicyStatus>, Problem> {
    Ok(Json(service.reload().await?))
}
