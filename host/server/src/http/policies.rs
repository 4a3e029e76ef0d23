//! The policies in force, for operators.

use axum::extract::Path;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use tollgate_engine::{KeptInput, PolicyStatus, RevisionInfo, ShadowInfo};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::App;
use super::json::{Json, JsonBody, NoQuery, parse, query};
use super::openapi::schema::whole;
use super::openapi::tag;
use super::problem::{Problem, kinds};

const STEPS: usize = 100;
const STEPS_MAX: usize = 10_000;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// How many at most
    #[param(schema_with = limits)]
    limit: Option<String>,
    /// Older than this step: the last of the page before.
    #[param(schema_with = steps)]
    before: Option<String>,
}

/// What `limit` may be.
fn limits() -> Object {
    whole(1..=STEPS_MAX as u64, Some(STEPS as u64))
}

/// What `before` may be.
fn steps() -> Object {
    whole(0..=u64::from(u32::MAX), None)
}

#[derive(Serialize, ToSchema)]
pub struct Revisions {
    revisions: Vec<RevisionInfo>,
    /// Whether there are older ones.
    has_more: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PolicyFaults)]
pub struct Faults {
    faults: Vec<KeptInput>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rollback {
    revision: String,
}

/// See the policies in force
#[utoipa::path(
    get,
    path = "/v1/policies",
    tag = tag::POLICIES,
    operation_id = "listPolicies",
    responses((status = 200, description = "What is active, and what is not and why", body = PolicyStatus)),
)]
pub async fn show(service: App, _: NoQuery) -> Json<PolicyStatus> {
    Json(service.policy_status())
}

/// Look at the folder of policies now
#[utoipa::path(
    post,
    path = "/v1/policies/reload",
    tag = tag::POLICIES,
    operation_id = "reloadPolicies",
    responses((status = 200, description = "What came of it", body = PolicyStatus)),
)]
pub async fn reload(service: App, _: NoQuery) -> Json<PolicyStatus> {
    Json(service.reload().await)
}

/// See what was active when
///
/// The newest first. The last `step` of a page is `before` of the next.
#[utoipa::path(
    get,
    path = "/v1/policies/revisions",
    tag = tag::POLICIES,
    operation_id = "listRevisions",
    params(Which),
    responses((status = 200, description = "The history", body = Revisions)),
)]
pub async fn revisions(service: App, uri: Uri) -> Result<Json<Revisions>, Problem> {
    let Which { limit, before } = query::<Which>(&uri)?;
    let limit = limit.map_or(Ok(STEPS), |limit| limit.parse());
    let limit = limit.ok().filter(|limit| (1..=STEPS_MAX).contains(limit));
    let wrong = || Problem::invalid("/limit", format!("must be a number from 1 to {STEPS_MAX}"));
    let limit = limit.ok_or_else(wrong)?;
    let before = before.map(|step| step.parse::<u32>().map(u64::from)).transpose();
    let before = before.map_err(|_| Problem::invalid("/before", "is not a step's number"))?;
    let (revisions, has_more) = service.revisions(before, limit).await?;
    Ok(Json(Revisions { revisions, has_more }))
}

/// Go back to a revision
///
/// It stays in force until the bytes of a file change.
#[utoipa::path(
    post,
    path = "/v1/policies/rollback",
    tag = tag::POLICIES,
    operation_id = "rollBackPolicies",
    request_body = Rollback,
    responses((status = 200, description = "What is active then", body = PolicyStatus)),
    extensions(("x-problems" = json!([kinds::UNKNOWN_REVISION, kinds::UNUSABLE_REVISION]))),
)]
pub async fn roll_back(
    service: App,
    _: NoQuery,
    body: Result<JsonBody, Problem>,
) -> Result<Json<PolicyStatus>, Problem> {
    let Rollback { revision } = parse(&body?.0)?;
    Ok(Json(service.roll_back(revision).await?))
}

/// Compare a candidate with the version in force
#[utoipa::path(
    get,
    path = "/v1/policies/{name}/shadow",
    tag = tag::POLICIES,
    operation_id = "getShadow",
    params(("name" = String, Path, description = "The policy, by the name of its manifest")),
    responses((status = 200, description = "How often they agree, and calls on which they do not", body = ShadowInfo)),
    extensions(("x-problems" = json!([kinds::NO_CANDIDATE]))),
)]
pub async fn shadow(
    service: App,
    _: NoQuery,
    Path(name): Path<String>,
) -> Result<Json<ShadowInfo>, Problem> {
    Ok(Json(service.shadow(&name)?))
}

/// See the inputs on which a policy failed last
///
/// The newest first, at most 16. None for a policy that nobody knows.
#[utoipa::path(
    get,
    path = "/v1/policies/{name}/faults",
    tag = tag::POLICIES,
    operation_id = "listFaults",
    params(("name" = String, Path, description = "The policy, by the name of its manifest")),
    responses((status = 200, description = "The inputs", body = Faults)),
)]
pub async fn faults(service: App, _: NoQuery, Path(name): Path<String>) -> Json<Faults> {
    Json(Faults { faults: service.kept_inputs(&name) })
}
