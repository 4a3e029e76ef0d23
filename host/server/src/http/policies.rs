//! The policies in force, for operators.

use axum::extract::Path;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use tollgate_engine::{KeptInput, PolicyStatus, RevisionInfo, ShadowInfo};

use super::App;
use super::json::{Json, JsonBody, parse, query};
use super::problem::Problem;

const STEPS: usize = 100;
const STEPS_MAX: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    limit: Option<String>,
}

#[derive(Serialize)]
pub struct Revisions {
    revisions: Vec<RevisionInfo>,
}

#[derive(Serialize)]
pub struct Faults {
    faults: Vec<KeptInput>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rollback {
    revision: String,
}

pub async fn show(service: App) -> Json<PolicyStatus> {
    Json(service.policy_status())
}

/// Looks at the folder now, and shows what came of it.
pub async fn reload(service: App) -> Json<PolicyStatus> {
    Json(service.reload().await)
}

/// What was active when, the newest first.
pub async fn revisions(service: App, uri: Uri) -> Result<Json<Revisions>, Problem> {
    let limit = query::<Which>(&uri)?.limit.map_or(Ok(STEPS), |limit| limit.parse());
    let limit = limit.ok().filter(|limit| (1..=STEPS_MAX).contains(limit));
    let wrong = || Problem::invalid("/limit", format!("must be a number from 1 to {STEPS_MAX}"));
    let revisions = service.revisions(limit.ok_or_else(wrong)?).await?;
    Ok(Json(Revisions { revisions }))
}

/// Goes back to a revision, and shows what is active then.
pub async fn roll_back(
    service: App,
    body: Result<JsonBody, Problem>,
) -> Result<Json<PolicyStatus>, Problem> {
    let Rollback { revision } = parse(&body?.0)?;
    Ok(Json(service.roll_back(revision).await?))
}

/// How a shadow or canary compares with the active version, and on which calls they differ.
pub async fn shadow(service: App, Path(name): Path<String>) -> Result<Json<ShadowInfo>, Problem> {
    Ok(Json(service.shadow(&name)?))
}

/// The inputs on which a policy failed last, the newest first.
pub async fn faults(service: App, Path(name): Path<String>) -> Json<Faults> {
    Json(Faults { faults: service.kept_inputs(&name) })
}
