//! `/v1/export`: all events, one a line, in the order in which they were committed.

mod format;

use axum::BoxError;
use axum::body::Bytes;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use clap::Args;
use serde::{Deserialize, Serialize};
use tollgate_domain::{Calendar, Span, Timestamp, Window};

use self::format::Format;
use super::json::query;
use super::openapi::tag;
use super::problem::Problem;
use super::{App, stream};
use crate::app::Events;

/// Which events, and how they are written: the parameters of the query, and of the command.
#[derive(Args, Clone, Copy, Debug, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Selection {
    /// Leave out what occurred earlier (RFC 3339)
    #[arg(long, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Timestamp>,

    /// Leave out what occurred then or later
    #[arg(long, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Timestamp>,

    /// How events are written
    #[arg(long, value_enum, default_value_t)]
    #[serde(default)]
    #[param(inline)]
    pub format: Format,
}

impl Selection {
    pub fn span(&self) -> Span {
        let always = Window::Lifetime.span(Timestamp::EPOCH, &Calendar::default());
        Span { start: self.from.unwrap_or(always.start), end: self.to }
    }
}

/// Copy out all events
///
/// A line for each, in the order in which they were recorded, as of when the request began: events as
/// `GET /v1/usage` shows them, and corrections; or the same as CloudEvents 1.0.
#[utoipa::path(
    get,
    path = "/v1/export",
    tag = tag::OPERATORS,
    operation_id = "exportEvents",
    params(Selection),
    responses((status = 200, description = "The events, one a line", body = String, content_type = "application/x-ndjson")),
)]
pub async fn export(service: App, uri: Uri) -> Result<Response, Problem> {
    let selection: Selection = query(&uri)?;
    if selection.to.is_some_and(|to| Some(to) < selection.from) {
        return Err(Problem::invalid("/to", "lies before `from`"));
    }
    let events = stream::begin("export", move || service.events(selection.span())).await?;
    let body = stream::body("export", events, move |events| lines(events, selection.format));
    let content_type = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((content_type, body).into_response())
}

fn lines(events: &mut Events, format: Format) -> Result<Option<Bytes>, BoxError> {
    let Some(page) = events.page()? else { return Ok(None) };
    let mut lines = Vec::new();
    for (id, fact) in &page {
        format.write(&mut lines, *id, fact, events.alerts_of(*id, fact)?)?;
    }
    Ok(Some(lines.into()))
}
