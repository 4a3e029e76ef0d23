//! `/v1/export`: all events, one a line, in the order in which they were committed.

mod format;

use axum::BoxError;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use clap::Args;
use futures_util::stream::{TryStreamExt, try_unfold};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tollgate_domain::{Calendar, Span, Timestamp, Window};

use self::format::Format;
use super::App;
use super::json::query;
use super::problem::Problem;
use crate::app::Events;

/// Which events, and how they are written: the parameters of the query, and of the command.
#[derive(Args, Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    pub format: Format,
}

impl Selection {
    pub fn span(&self) -> Span {
        let always = Window::Lifetime.span(Timestamp::EPOCH, &Calendar::default());
        Span { start: self.from.unwrap_or(always.start), end: self.to }
    }
}

/// Streams what was committed before the request. Every page is read when the client has taken
/// the one before: one that is slow takes neither memory nor a thread.
pub async fn export(service: App, uri: Uri) -> Result<Response, Problem> {
    let selection: Selection = query(&uri)?;
    if selection.to.is_some_and(|to| Some(to) < selection.from) {
        return Err(Problem::invalid("/to", "lies before `from`"));
    }
    let begun = spawn_blocking(move || service.events(selection.span())).await;
    let events = begun.map_err(|error| {
        tracing::error!(%error, "the export broke down");
        Problem::plain(StatusCode::INTERNAL_SERVER_ERROR, "the export broke down")
    })?;
    let pages = try_unfold(events, move |mut events| async move {
        spawn_blocking(move || Ok(lines(&mut events, selection.format)?.map(|page| (page, events))))
            .await?
    });
    // The answer has begun: that it is not whole can only be told by breaking it off.
    let pages = pages.inspect_err(|error: &BoxError| {
        tracing::error!(%error, "an export was broken off");
    });
    let content_type = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((content_type, Body::from_stream(pages)).into_response())
}

fn lines(events: &mut Events, format: Format) -> Result<Option<Bytes>, BoxError> {
    let Some(page) = events.page()? else { return Ok(None) };
    let mut lines = Vec::new();
    for (id, fact) in &page {
        format.write(&mut lines, *id, fact)?;
    }
    Ok(Some(lines.into()))
}
