//! `/v1/backup`: everything that the ledger is made of, to be restored from.

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::json::NoQuery;
use super::openapi::schema::described;
use super::openapi::tag;
use super::problem::Problem;
use super::{App, stream};

/// Bytes that are no text.
struct Octets;

described! {
    [] Octets, "Octets",
    ObjectBuilder::new()
        .schema_type(Type::String)
        .content_media_type("application/octet-stream")
        .build()
}

/// Copy out all that the ledger is made of
///
/// For `tollgate restore`, as of when the request began.
#[utoipa::path(
    get,
    path = "/v1/backup",
    tag = tag::OPERATORS,
    operation_id = "backUp",
    responses((status = 200, description = "The backup", body = Octets, content_type = "application/octet-stream", headers(("content-disposition" = String, description = "A name for the file")))),
)]
pub async fn backup(service: App, _: NoQuery) -> Result<Response, Problem> {
    let file = file_name(&service.now().to_string());
    let backup = stream::begin("backup", move || service.backup()).await??;
    let body = stream::body("backup", backup, |backup| Ok(backup.page()?.map(Bytes::from)));
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")),
    ];
    Ok((headers, body).into_response())
}

/// Some systems' names have no colons. A second is exact enough.
fn file_name(now: &str) -> String {
    let seconds = now.trim_end_matches('Z').split('.').next().unwrap_or_default();
    format!("tollgate-{}Z.backup", seconds.replace([':', '-'], ""))
}
