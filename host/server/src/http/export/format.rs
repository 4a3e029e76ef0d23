//! How an exported event is written.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tollgate_domain::{SubjectPath, Timestamp};
use tollgate_ledger::Recorded;

use crate::http::receipt::EventView;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum Format {
    /// As `GET /v1/usage` shows it
    #[default]
    Ndjson,
    /// The same, in an envelope of CloudEvents 1.0
    CloudEvents,
}

/// An event in the JSON format of CloudEvents 1.0.
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    /// Our own id: callers' names are unique only within their subjects.
    id: String,
    source: &'static str,
    r#type: &'static str,
    subject: &'a SubjectPath,
    time: Timestamp,
    datacontenttype: &'static str,
    data: EventView<'a>,
}

impl Format {
    /// Writes one event, in a line of its own.
    pub fn write(self, out: &mut impl Write, recorded: &Recorded) -> io::Result<()> {
        let view = EventView::new(recorded);
        match self {
            Self::Ndjson => serde_json::to_writer(&mut *out, &view)?,
            Self::CloudEvents => serde_json::to_writer(&mut *out, &envelope(recorded, view))?,
        }
        out.write_all(b"\n")
    }
}

fn envelope<'a>(recorded: &'a Recorded, data: EventView<'a>) -> CloudEvent<'a> {
    let report = &recorded.event.report;
    CloudEvent {
        specversion: "1.0",
        id: recorded.id.to_string(),
        source: "urn:tollgate:ledger",
        r#type: "com.tollgate.usage.recorded",
        subject: &report.subject,
        time: report.occurred_at,
        datacontenttype: "application/json",
        data,
    }
}
