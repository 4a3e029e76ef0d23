//! How a recorded event is written.

use std::ops::Not;

use serde::{Serialize, Serializer};
use tollgate_domain::{
    Amount, Charge, EndpointName, EventKey, Metadata, ModelId, PeriodId, ProviderId, QuantityName,
    SubjectPath, Timestamp, Usage, Usd,
};
use tollgate_ledger::{EventId, Recorded};
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::alert::AlertView;
use super::fields::ShortTexts;
use super::openapi::schema::{described, map};

/// The answer to whoever settles or records.
#[derive(Serialize, ToSchema)]
pub struct Receipt<'a> {
    event_id: String,
    #[serde(skip_serializing_if = "Not::not")]
    duplicate: bool,
    #[schema(required)]
    cost: Option<Usd>,
    unpriced: bool,
    /// Whether the caller's own word won over the price list.
    cost_given: bool,
    charges: Vec<ChargeView<'a>>,
    overage: bool,
    late: bool,
    revision: &'a str,
    alerts: Vec<AlertView<'a>>,
}

/// An event, whole.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView<'a> {
    subject: &'a SubjectPath,
    provider: &'a ProviderId,
    #[schema(required)]
    model: Option<&'a ModelId>,
    #[schema(required)]
    endpoint: Option<&'a EndpointName>,
    #[schema(required)]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    usage: UsageMap<'a>,
    #[schema(required)]
    response_time_ms: Option<u64>,
    #[schema(required)]
    status_code: Option<u16>,
    #[schema(required)]
    error: Option<&'a str>,
    #[schema(required)]
    request_id: Option<&'a str>,
    #[schema(value_type = ShortTexts)]
    metadata: &'a Metadata,
    occurred_at: Timestamp,
    recorded_at: Timestamp,
    billing_period: &'a PeriodId,
    #[schema(required)]
    reservation_id: Option<String>,
    #[serde(flatten)]
    receipt: Receipt<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Charge)]
pub struct ChargeView<'a> {
    quantity: &'a QuantityName,
    amount: Amount,
    unit_price: Usd,
    cost: Usd,
}

/// Quantities by name, as whole numbers.
pub struct UsageMap<'a>(pub &'a Usage);

impl Serialize for UsageMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

described! {
    ['a] UsageMap<'a>, "Usage", {
        let amount = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0_u64));
        map::<QuantityName>("How much was used of what.", amount.build(), None)
    }
}

impl<'a> Receipt<'a> {
    pub fn new(recorded: &'a Recorded) -> Self {
        let event = &*recorded.event;
        let report = &event.report;
        Self {
            event_id: event_id(recorded),
            duplicate: false,
            cost: report.cost,
            unpriced: report.cost.is_none(),
            cost_given: report.cost_given,
            charges: report.charges.iter().map(ChargeView::new).collect(),
            overage: event.overage,
            late: event.late,
            revision: &report.revision,
            alerts: recorded.alerts.iter().map(AlertView::new).collect(),
        }
    }

    /// The same, saying whether the event was there before.
    pub fn with_duplicate(recorded: &'a Recorded) -> Self {
        Self { duplicate: recorded.duplicate, ..Self::new(recorded) }
    }
}

impl<'a> EventView<'a> {
    pub fn new(recorded: &'a Recorded) -> Self {
        let event = &*recorded.event;
        let report = &event.report;
        Self {
            subject: &report.subject,
            provider: &report.provider,
            model: report.model.as_ref(),
            endpoint: report.endpoint.as_ref(),
            method: report.method.as_deref(),
            service_tier: report.service_tier.as_deref(),
            region: report.region.as_deref(),
            usage: UsageMap(&report.usage),
            response_time_ms: report.response_time_ms,
            status_code: report.status_code,
            error: report.error.as_deref(),
            request_id: report.request_id.as_deref(),
            metadata: &report.metadata,
            occurred_at: report.occurred_at,
            recorded_at: event.recorded_at,
            billing_period: &event.period,
            reservation_id: event.reservation.map(|id| id.to_string()),
            receipt: Receipt::new(recorded),
        }
    }
}

impl<'a> ChargeView<'a> {
    pub fn new(charge: &'a Charge) -> Self {
        let Charge { quantity, amount, unit_price, cost, side: _ } = charge;
        Self { quantity, amount: *amount, unit_price: *unit_price, cost: *cost }
    }
}

fn event_id(recorded: &Recorded) -> String {
    event_name(recorded.event.report.key.as_ref(), recorded.id)
}

/// The name that the caller gave an event, or else our own.
pub fn event_name(key: Option<&EventKey>, id: EventId) -> String {
    key.map_or_else(|| id.to_string(), |key| key.to_string())
}
