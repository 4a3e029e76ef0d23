//! `/api/subscription/alerts`: who was warned of what, and who has read it.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tollgate_ledger::{AlertId, Alerts, LedgerError};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::envelope::{Exception, Message, answer};
use super::user::{OfUser, User};
use crate::http::App;
use crate::http::alert::AlertView;
use crate::http::fields::{number, yes_or_no};
use crate::http::json::{no_query, query};
use crate::http::openapi::schema::{offset, whole};
use crate::http::openapi::tag;
use crate::http::problem::{Problem, kinds};
use crate::service::Error;

const LIMIT: u64 = 50;
const LIMIT_MAX: u64 = 1000;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Leave out those that somebody has read
    #[param(value_type = Option<bool>, default = false)]
    unread_only: Option<String>,
    /// How many at most
    #[param(schema_with = limits)]
    limit: Option<String>,
    /// How many to leave out at the beginning
    #[param(schema_with = offset)]
    offset: Option<String>,
}

/// What `limit` may be.
fn limits() -> Object {
    whole(1..=LIMIT_MAX, Some(LIMIT))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Alerts)]
struct List<'a> {
    alerts: Vec<AlertView<'a>>,
    /// All that were asked for, whether or not they are listed here.
    total: u64,
    unread_count: u64,
}

/// See who was warned of what
///
/// The newest first.
#[utoipa::path(
    get,
    path = "/alerts/{user_id}",
    tag = tag::DASHBOARDS,
    operation_id = "listAlerts",
    params(OfUser, Asked),
    responses((status = 200, description = "A page of them", body = List)),
)]
pub async fn list(service: App, user: User, uri: Uri) -> Response {
    let alerts = async {
        let subject = user.subject()?;
        let Asked { unread_only, limit, offset } = query(&uri)?;
        let unread_only = yes_or_no("/unread_only", unread_only, false)?;
        let limit = number("/limit", limit, LIMIT, 1..=LIMIT_MAX)?;
        let offset = number("/offset", offset, 0, 0..=u64::MAX)?;
        let size = |number| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(service.alerts(subject, unread_only, size(offset), size(limit)).await?)
    };
    let alerts: Result<Alerts, Problem> = alerts.await;
    let list = alerts.as_ref().map(|alerts| List {
        alerts: alerts.alerts.iter().map(AlertView::new).collect(),
        total: alerts.total,
        unread_count: alerts.unread,
    });
    answer(&service, Exception::Subscription, Some(&user), list)
}

/// Say that an alert was read
///
/// It may be said again.
#[utoipa::path(
    post,
    path = "/alerts/{alert_id}/mark-read",
    tag = tag::DASHBOARDS,
    operation_id = "markAlertRead",
    params(("alert_id" = u64, Path, description = "The alert's number")),
    responses((status = 200, description = "It counts as read", body = Message)),
    extensions(("x-problems" = json!([kinds::UNKNOWN_ALERT]))),
)]
pub async fn mark_read(
    service: App,
    alert: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Response {
    let read = async {
        no_query(&uri)?;
        // What cannot be a number is none of an alert.
        let id = alert.ok().and_then(|Path(id)| id.parse::<AlertId>().ok());
        let id = id.ok_or(Error::Ledger(LedgerError::UnknownAlert))?;
        Ok(service.read_alert(id).await?)
    };
    let read: Result<(), Problem> = read.await;
    let message = read.as_ref().map(|()| Message { message: "Alert marked as read" });
    answer(&service, Exception::Subscription, None, message)
}
