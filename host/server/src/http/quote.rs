//! `POST /v1/quote`: what would this cost?

use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tollgate_domain::{Call, ModelId, ProviderId, Side, SubjectPath, Timestamp, Usd};
use utoipa::ToSchema;

use super::App;
use super::fields::{Quantities, ShortTexts, Text};
use super::json::{Json, JsonBody, NoQuery, parse};
use super::made::used;
use super::openapi::tag;
use super::problem::{Problem, kinds};
use super::receipt::{ChargeView, UsageMap};
use crate::service::{Error, PriceQuestion};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceQuestion)]
struct Question {
    /// Whose call it would be, for policies that apply to some only.
    subject: Option<SubjectPath>,
    provider: ProviderId,
    model: Option<ModelId>,
    at: Option<Timestamp>,
    usage: Option<Quantities>,
    /// What the provider answered, as it came; a list is the chunks of a stream
    #[schema(value_type = Option<serde_json::Value>)]
    response: Option<Box<RawValue>>,
    api_flavor: Option<Text<64>>,
    service_tier: Option<Text<64>>,
    region: Option<Text<64>>,
    /// Rates may depend on it: those of an image by its size and quality, say.
    #[serde(default)]
    metadata: ShortTexts,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Quote)]
struct Quoted<'a> {
    usage: UsageMap<'a>,
    /// The price entry that matched.
    model: &'a str,
    input_cost: Usd,
    output_cost: Usd,
    cost: Usd,
    charges: Vec<ChargeView<'a>>,
    catalog: &'a str,
}

/// Price a call without recording it
///
/// Give what was used, or the provider's raw answer, which says it.
#[utoipa::path(
    post,
    path = "/v1/quote",
    tag = tag::PRICES,
    operation_id = "quote",
    request_body = Question,
    responses((status = 200, description = "What it costs", body = Quoted)),
    extensions(("x-problems" = json!([kinds::UNPRICED, kinds::UNKNOWN_FLAVOR, kinds::REJECTED, kinds::OVERFLOW]))),
)]
pub async fn quote(
    service: App,
    _: NoQuery,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let body: Question = parse(&body)?;
    let nobody =
        || "nobody".parse().map_err(|error| Problem::invalid("/subject", format!("{error}")));
    let call = Call {
        subject: body.subject.map_or_else(nobody, Ok)?,
        provider: body.provider,
        model: body.model,
        endpoint: None,
        // Replaced by what was used.
        usage: Quantities::default().into_usage().map_err(Error::from)?,
        max_tokens: None,
        features: vec![],
        service_tier: body.service_tier.map(|tier| tier.0),
        region: body.region.map(|region| region.0),
        metadata: body.metadata.0,
    };
    let used = used(body.usage, body.response, body.api_flavor)?;
    let priced = service.quote(PriceQuestion { call, used, at: body.at }).await?;
    let charges = &priced.quote.charges;
    let sum = |side| {
        // A part of a sum that fits, fits.
        let own = charges.iter().filter(|charge| charge.side == side);
        own.fold(Usd::ZERO, |sum, charge| sum.checked_add(charge.cost).unwrap_or(sum))
    };
    let quoted = Quoted {
        usage: UsageMap(&priced.usage),
        model: &priced.quote.entry,
        input_cost: sum(Side::Input),
        output_cost: sum(Side::Output),
        cost: priced.quote.cost,
        charges: charges.iter().map(ChargeView::new).collect(),
        catalog: &priced.catalog,
    };
    Ok(Json(quoted).into_response())
}
