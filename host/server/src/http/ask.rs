//! The body of a check or a reservation.

use serde::Deserialize;
use tollgate_domain::{Call, EndpointName, FeatureId, ModelId, ProviderId, SubjectPath};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::fields::{Quantities, ShortTexts, Text, Whole};
use super::openapi::schema::described;
use super::problem::Problem;
use crate::service::Error;

const FEATURES_MAX: usize = 64;

/// A call that is about to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CallToMake)]
pub struct Ask {
    subject: SubjectPath,
    provider: ProviderId,
    model: Option<ModelId>,
    endpoint: Option<EndpointName>,
    #[serde(default)]
    usage: Quantities,
    max_tokens: Option<Whole<0, { u32::MAX as u64 }>>,
    #[serde(default)]
    features: Vec<FeatureId>,
    service_tier: Option<Text<64>>,
    region: Option<Text<64>>,
    #[serde(default)]
    metadata: ShortTexts,
    /// For how long quota is held, if nobody settles or releases it; 300 unless given
    pub ttl_seconds: Option<Whole<1, 86_400>>,
}

/// The same without what is of a reservation only.
pub struct AskToCheck;

described! {
    [] AskToCheck, "CallToCheck", {
        let mut schema = <Ask as PartialSchema>::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.properties.shift_remove("ttl_seconds");
        }
        schema
    };
    Ask
}

impl Ask {
    pub fn into_call(self) -> Result<Call, Problem> {
        if self.features.len() > FEATURES_MAX {
            let detail = format!("must not have more than {FEATURES_MAX} entries");
            return Err(Problem::invalid("/features", detail));
        }
        Ok(Call {
            subject: self.subject,
            provider: self.provider,
            model: self.model,
            endpoint: self.endpoint,
            usage: self.usage.into_usage().map_err(Error::from)?,
            max_tokens: self.max_tokens.and_then(|tokens| u32::try_from(tokens.0).ok()),
            features: self.features,
            service_tier: self.service_tier.map(|tier| tier.0),
            region: self.region.map(|region| region.0),
            metadata: self.metadata.0,
        })
    }
}
