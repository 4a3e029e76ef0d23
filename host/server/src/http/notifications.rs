//! `/v1/notifications`: the outbox, the newest first.

pub mod preferences;
mod secrets;

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tollgate_domain::{ChannelKind, SubjectId, Timestamp};
use tollgate_ledger::{DeliveryFilter, DeliveryId, DeliveryState, LedgerError, Listed};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use super::App;
use super::fields::number;
use super::json::{no_query, query};
use super::openapi::schema::{whole, words};
use super::openapi::tag;
use super::problem::{Problem, kinds};
use crate::service::{Deliveries, Error};

const LIMIT: u64 = 100;
const LIMIT_MAX: u64 = 1000;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only those that are in it
    #[param(schema_with = states)]
    state: Option<String>,
    /// Whom the alert is about
    subject: Option<SubjectId>,
    /// How many at most
    #[param(schema_with = limits)]
    limit: Option<String>,
    /// Older than this one: the last of the page before
    #[param(pattern = "^nt-[0-9a-f]{1,15}-[0-9a-f]{1,3}$", example = "nt-1000-0")]
    before: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Notifications)]
struct Page<'a> {
    notifications: Vec<DeliveryView<'a>>,
    /// Whether there are older ones.
    has_more: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Notification)]
struct DeliveryView<'a> {
    id: String,
    alert_id: u64,
    subject: &'a SubjectId,
    /// Whose preferences it follows; `None` for the default.
    #[schema(required)]
    preferences_of: Option<&'a SubjectId>,
    #[schema(schema_with = channels)]
    channel: &'static str,
    #[schema(required)]
    address: Option<&'a str>,
    #[schema(schema_with = states)]
    state: &'static str,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<Timestamp>,
    /// What went wrong the last time.
    #[schema(required)]
    error: Option<&'a str>,
    changed_at: Timestamp,
}

fn states() -> Object {
    words(
        [DeliveryState::Pending, DeliveryState::Sent, DeliveryState::Dead]
            .map(DeliveryState::as_str),
    )
}

fn channels() -> Object {
    words([ChannelKind::Email, ChannelKind::Webhook, ChannelKind::Log].map(ChannelKind::as_str))
}

/// What `limit` may be.
fn limits() -> Object {
    whole(1..=LIMIT_MAX, Some(LIMIT))
}

/// See what was sent, and what was not
///
/// The newest first. The last `id` of a page is `before` of the next.
#[utoipa::path(
    get,
    path = "/v1/notifications",
    tag = tag::NOTIFICATIONS,
    operation_id = "listNotifications",
    params(Which),
    responses((status = 200, description = "A page of them", body = Page)),
)]
pub async fn list(service: App, uri: Uri) -> Result<Response, Problem> {
    let which = query::<Which>(&uri)?.into_filter()?;
    let Deliveries { list, has_more } = service.deliveries(which).await?;
    let notifications = list.iter().map(DeliveryView::new).collect();
    Ok(Json(Page { notifications, has_more }).into_response())
}

/// Send a notification again
///
/// One that is dead, or that waits for its next try.
#[utoipa::path(
    post,
    path = "/v1/notifications/{id}/retry",
    tag = tag::NOTIFICATIONS,
    operation_id = "retryNotification",
    params(("id" = String, Path, description = "The notification's id", pattern = "^nt-[0-9a-f]{1,15}-[0-9a-f]{1,3}$", example = "nt-1000-0")),
    responses((status = 200, description = "It is sent soon", body = DeliveryView)),
    extensions(("x-problems" = json!([kinds::UNKNOWN_NOTIFICATION, kinds::NOTIFICATION_SENT]))),
)]
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
