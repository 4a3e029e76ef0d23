//! `/v1/notifications`: the outbox, the newest first.

pub mod preferences;
mod secrets;

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tollgate_domain::{SubjectId, Timestamp};
use tollgate_ledger::{DeliveryFilter, DeliveryId, DeliveryState, LedgerError, Listed};

use super::App;
use super::fields::number;
use super::json::{no_query, query};
use super::problem::Problem;
use crate::service::{Deliveries, Error};

const LIMIT: u64 = 100;
const LIMIT_MAX: u64 = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    state: Option<String>,
    /// Whom the alert is about.
    subject: Option<SubjectId>,
    limit: Option<String>,
    /// Older than this one: the last of the page before.
    before: Option<String>,
}

#[derive(Serialize)]
struct Page<'a> {
    notifications: Vec<DeliveryView<'a>>,
    /// Whether there are older ones.
    has_more: bool,
}

#[derive(Serialize)]
struct DeliveryView<'a> {
    id: String,
    alert_id: u64,
    subject: &'a SubjectId,
    /// Whose preferences it follows; `None` for the default.
    preferences_of: Option<&'a SubjectId>,
    channel: &'static str,
    address: Option<&'a str>,
    state: &'static str,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<Timestamp>,
    /// What went wrong the last time.
    error: Option<&'a str>,
    changed_at: Timestamp,
}

pub async fn list(service: App, uri: Uri) -> Result<Response, Problem> {
    let which = query::<Which>(&uri)?.into_filter()?;
    let Deliveries { list, has_more } = service.deliveries(which).await?;
    let notifications = list.iter().map(DeliveryView::new).collect();
    Ok(Json(Page { notifications, has_more }).into_response())
}

pub async fn retry(
    service: App,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, Problem> {
    no_query(&uri)?;
    // What cannot be an id is none of a notification.
    let id = id.ok().and_then(|Path(id)| id.parse::<DeliveryId>().ok());
    let id = id.ok_or(Error::Ledger(LedgerError::UnknownDelivery))?;
    let listed = service.retry_delivery(id).await?;
    Ok(Json(DeliveryView::new(&listed)).into_response())
}

impl Which {
    fn into_filter(self) -> Result<DeliveryFilter, Problem> {
        let wrong = |()| Problem::invalid("/state", "must be `pending`, `sent` or `dead`");
        let state = self.state.map(|state| state.parse().map_err(wrong)).transpose()?;
        let limit = number("/limit", self.limit, LIMIT, 1..=LIMIT_MAX)?;
        let before = self.before.map(|id| id.parse()).transpose();
        let before =
            before.map_err(|()| Problem::invalid("/before", "is not a notification's id"))?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(DeliveryFilter { subject: self.subject, state, before, limit })
    }
}

impl<'a> DeliveryView<'a> {
    fn new((id, delivery): &'a Listed) -> Self {
        let state = delivery.state;
        Self {
            id: id.to_string(),
            alert_id: id.alert.number(),
            subject: &delivery.subject,
            preferences_of: delivery.owner.as_ref(),
            channel: delivery.channel.kind().as_str(),
            address: delivery.channel.address(),
            state: state.as_str(),
            attempts: delivery.attempts,
            due_at: (state == DeliveryState::Pending).then_some(delivery.due_at),
            sent_at: (state == DeliveryState::Sent).then_some(delivery.changed_at),
            error: delivery.error.as_deref(),
            changed_at: delivery.changed_at,
        }
    }
}
