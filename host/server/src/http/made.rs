//! The bodies that tell of a call that was made.

use serde::Deserialize;
use serde_json::value::RawValue;
use tollgate_domain::{Call, EndpointName, EventKey, ModelId, ProviderId, SubjectPath, Timestamp};
use tollgate_ledger::{Fingerprint, Turn};
use utoipa::ToSchema;
use utoipa::openapi::Ref;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::fields::{Money, Quantities, ShortTexts, Text, Whole};
use super::fingerprint::fingerprint;
use super::json::parse;
use super::openapi::schema::{described, either, list_of};
use super::problem::Problem;
use crate::service::{Error, Made, Settlement, UseReport, Used};

/// What a provider's API is called when the caller does not say which.
const DEFAULT_FLAVOR: &str = "default";

type StatusCode = Whole<100, 999>;

/// `POST /v1/reservations/{id}/settle`
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Settle {
    usage: Option<Quantities>,
    /// What the provider answered, as it came; a list is the chunks of a stream
    #[schema(value_type = Option<serde_json::Value>)]
    response: Option<Box<RawValue>>,
    api_flavor: Option<Text<64>>,
    model: Option<ModelId>,
    cost: Option<Money>,
    response_time_ms: Option<Whole>,
    status_code: Option<StatusCode>,
    error: Option<Text<4096>>,
    occurred_at: Option<Timestamp>,
    request_id: Option<Text<200>>,
    metadata: Option<ShortTexts>,
}

/// One use of `POST /v1/usage`
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Use)]
struct Record {
    event_id: Option<EventKey>,
    subject: SubjectPath,
    provider: ProviderId,
    model: Option<ModelId>,
    endpoint: Option<EndpointName>,
    method: Option<Text<16>>,
    service_tier: Option<Text<64>>,
    region: Option<Text<64>>,
    usage: Option<Quantities>,
    /// What the provider answered, as it came; a list is the chunks of a stream
    #[schema(value_type = Option<serde_json::Value>)]
    response: Option<Box<RawValue>>,
    api_flavor: Option<Text<64>>,
    cost: Option<Money>,
    response_time_ms: Option<Whole>,
    status_code: Option<StatusCode>,
    error: Option<Text<4096>>,
    occurred_at: Option<Timestamp>,
    request_id: Option<Text<200>>,
    #[serde(default)]
    metadata: ShortTexts,
}

/// What `POST /v1/usage` takes: a use, or a list of them.
pub struct Uses;

described! {
    [] Uses, "Uses", {
        let many = list_of::<Record>().max_items(Some(super::usage::EVENTS_MAX));
        either("A use, or a list of them.", Ref::from_schema_name(Record::name()), many.build())
    };
    Record
}

/// The same, a line for each.
pub struct UseLines;

described! {
    [] UseLines, "UseLines",
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("Any number of lines, each a `Use` in JSON; blank ones do not count."))
        .build()
}

pub fn settlement(json: &[u8]) -> Result<Settlement, Problem> {
    let body: Settle = parse(json)?;
    Ok(Settlement {
        made: Made {
            fingerprint: fingerprint(json)?,
            used: used(body.usage, body.response, body.api_flavor)?,
            cost: body.cost.map(|cost| cost.0),
            response_time_ms: body.response_time_ms.map(|time| time.0),
            status_code: body.status_code.and_then(status_code),
            error: body.error.and_then(error),
            request_id: body.request_id.map(|id| id.0),
        },
        model: body.model,
        metadata: body.metadata.map(|metadata| metadata.0),
        occurred_at: body.occurred_at,
    })
}

pub fn use_report(json: &[u8]) -> Result<UseReport, Problem> {
    let body: Record = parse(json)?;
    // Without a name nobody can say it again.
    let fingerprint = match body.event_id {
        Some(_) => fingerprint(json)?,
        None => Fingerprint::NONE,
    };
    Ok(UseReport {
        key: body.event_id,
        call: Call {
            subject: body.subject,
            provider: body.provider,
            model: body.model,
            endpoint: body.endpoint,
            // Replaced by what was used.
            usage: Quantities::default().into_usage().map_err(Error::from)?,
            max_tokens: None,
            features: vec![],
            service_tier: body.service_tier.map(|tier| tier.0),
            region: body.region.map(|region| region.0),
            metadata: body.metadata.0,
        },
        method: body.method.map(|method| method.0),
        made: Made {
            fingerprint,
            used: used(body.usage, body.response, body.api_flavor)?,
            cost: body.cost.map(|cost| cost.0),
            response_time_ms: body.response_time_ms.map(|time| time.0),
            status_code: body.status_code.and_then(status_code),
            error: body.error.and_then(error),
            request_id: body.request_id.map(|id| id.0),
        },
        occurred_at: body.occurred_at,
        turn: Turn::default(),
    })
}

/// Either the usage itself, or an answer that reports it.
pub fn used(
    usage: Option<Quantities>,
    response: Option<Box<RawValue>>,
    flavor: Option<Text<64>>,
) -> Result<Used, Problem> {
    match (usage, response, flavor) {
        (Some(usage), None, None) => Ok(Used::Stated(usage.into_usage().map_err(Error::from)?)),
        (None, Some(response), flavor) => Ok(Used::Response {
            flavor: flavor.map_or_else(|| DEFAULT_FLAVOR.to_owned(), |flavor| flavor.0),
            body: String::from(Box::<str>::from(response)),
        }),
        (None, None, _) => Err(Problem::invalid("/usage", "is missing, and so is `response`")),
        (Some(_), Some(_), _) => {
            Err(Problem::invalid("/response", "must not be given together with `usage`"))
        }
        (Some(_), None, Some(_)) => {
            Err(Problem::invalid("/api_flavor", "belongs to a `response`, and there is none"))
        }
    }
}

fn status_code(code: StatusCode) -> Option<u16> {
    u16::try_from(code.0).ok()
}

/// An empty text is how some say that there was no error.
fn error(text: Text<4096>) -> Option<String> {
    Some(text.0).filter(|text| !text.is_empty())
}
