//! `/api/subscription/alerts`: who was warned of what, and who has read it.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tollgate_ledger::{AlertId, Alerts, LedgerError};

use super::envelope::{Exception, answer};
use super::user::User;
use crate::http::App;
use crate::http::alert::AlertView;
use crate::http::fields::{number, yes_or_no};
use crate::http::json::{no_query, query};
use crate::http::problem::Problem;
use crate::service::Error;

const LIMIT: u64 = 50;
const LIMIT_MAX: u64 = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    unread_only: Option<String>,
    limit: Option<String>,
    offset: Option<String>,
}

#[derive(Serialize)]
struct List<'a> {
    alerts: Vec<AlertView<'a>>,
    /// All that were asked for, whether or not they are listed here.
    total: u64,
    unread_count: u64,
}

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

/// The newest first.
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

/// Says the same however often it is asked.
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
