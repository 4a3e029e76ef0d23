//! How an exported fact is written.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tollgate_domain::{SubjectPath, Timestamp};
use tollgate_ledger::store::Fact;
use tollgate_ledger::{Alerted, Corrected, EventId, Recorded};
use utoipa::ToSchema;

use crate::http::receipt::EventView;
use crate::http::usage::corrections::CorrectionView;

#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum, ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
#[schema(as = ExportFormat)]
pub enum Format {
    /// As `GET /v1/usage` shows it
    #[default]
    Ndjson,
    /// The same, in an envelope of CloudEvents 1.0
    CloudEvents,
}

/// An envelope in the JSON format of CloudEvents 1.0.
#[derive(Serialize)]
struct CloudEvent<'a, T> {
    specversion: &'static str,
    /// Our own id: callers' names are unique only within their subjects.
    id: String,
    source: &'static str,
    r#type: &'static str,
    subject: &'a SubjectPath,
    time: Timestamp,
    datacontenttype: &'static str,
    data: T,
}

impl Format {
    /// Writes one fact and the alerts that it raised, in a line of its own.
    pub fn write(
        self,
        out: &mut impl Write,
        id: EventId,
        fact: &Fact,
        alerts: Vec<Alerted>,
    ) -> io::Result<()> {
        match fact {
            Fact::Event(event) => {
                let event = event.clone();
                let recorded = Recorded { id, event, alerts, duplicate: false, replayed: false };
                let view = EventView::new(&recorded);
                self.write_view(out, id, fact, "com.tollgate.usage.recorded", view)?;
            }
            Fact::Correction(correction) => {
                let correction = correction.clone();
                let (duplicate, replayed) = (false, false);
                let corrected = Corrected { id, correction, alerts, duplicate, replayed };
                let view = CorrectionView::new(&corrected);
                self.write_view(out, id, fact, "com.tollgate.usage.corrected", view)?;
            }
        }
        out.write_all(b"\n")
    }

    fn write_view(
        self,
        out: &mut impl Write,
        id: EventId,
        fact: &Fact,
        r#type: &'static str,
        data: impl Serialize,
    ) -> io::Result<()> {
        match self {
            Self::Ndjson => serde_json::to_writer(out, &data)?,
            Self::CloudEvents => {
                let envelope = CloudEvent {
                    specversion: "1.0",
                    id: id.to_string(),
                    source: "urn:tollgate:ledger",
                    r#type,
                    subject: fact.subject(),
                    time: fact.occurred_at(),
                    datacontenttype: "application/json",
                    data,
                };
                serde_json::to_writer(out, &envelope)?;
            }
        }
        Ok(())
    }
}
