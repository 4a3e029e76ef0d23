//! What is put to a policy, as authors write it down: in words of the HTTP interface, in TOML for
//! files of cases and in JSON for a single call.

mod exact;
mod outlook;
mod question;

use std::collections::BTreeMap;

use anyhow::anyhow;
use serde::Deserialize;
use serde_json::Value;
use tollgate_domain::{
    EndpointName, FeatureId, Metadata, Meter, ModelId, PlanId, ProviderId, QuantityName, QuotaName,
    Side, SubjectPath, Timestamp, Window,
};

use exact::{Exact, Word};
use outlook::{StatedModel, StatedOutlook};

/// A file of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    #[serde(rename = "case")]
    cases: Vec<Case>,
}

/// A question to a policy, and perhaps the answer that is expected.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// For people.
    #[serde(default)]
    pub name: String,
    /// Which question; the one that each call puts to a policy of its kind, unless stated.
    ask: Option<Ask>,
    at: Option<Timestamp>,
    call: Option<StatedCall>,
    /// From the widest; those of the call's subject without any plan, unless stated.
    #[serde(default)]
    levels: Vec<StatedLevel>,
    estimated_cost: Option<Exact>,
    #[serde(default)]
    readings: Vec<StatedReading>,
    /// The models that were used, for what might have served instead.
    #[serde(default)]
    used: Vec<StatedModel>,
    /// What there is to choose from; its readings are those of the case.
    outlook: Option<StatedOutlook>,
    response: Option<StatedResponse>,
    /// Nobody that prices depend on, unless stated.
    #[serde(default)]
    payer: StatedPayer,
    /// What such calls of the subject used on average lately, for estimates; not known unless
    /// stated.
    #[serde(default)]
    average: BTreeMap<QuantityName, u64>,
    quote: Option<StatedQuote>,
    /// What the answer must contain.
    pub expect: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ask {
    Evaluate,
    Price,
    Estimate,
    Adjust,
    Extract,
    Due,
    Recommend,
    Candidates,
    Advise,
}

/// As in the body of `POST /v1/check`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedCall {
    subject: Option<SubjectPath>,
    provider: ProviderId,
    model: Option<ModelId>,
    endpoint: Option<EndpointName>,
    #[serde(default)]
    usage: BTreeMap<QuantityName, u64>,
    max_tokens: Option<u32>,
    #[serde(default)]
    features: Vec<FeatureId>,
    service_tier: Option<String>,
    region: Option<String>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedLevel {
    /// The level of the call's subject at this position, unless stated.
    subject: Option<SubjectPath>,
    plan: Option<PlanId>,
    timezone: Option<String>,
    #[serde(default)]
    quotas: Vec<StatedQuota>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedQuota {
    name: QuotaName,
    /// Absent for unlimited.
    limit: Option<Exact>,
    #[serde(default)]
    used: Exact,
    #[serde(default)]
    reserved: Exact,
    requested: Option<Exact>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedReading {
    subject: Option<SubjectPath>,
    plan: PlanId,
    quota: QuotaName,
    meter: Word<Meter>,
    provider: Option<ProviderId>,
    window: Option<Word<Window>>,
    limit: Exact,
    #[serde(default)]
    before: Exact,
    after: Exact,
    #[serde(default)]
    raised: Vec<u32>,
}

/// Who pays, as far as prices depend on it.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedPayer {
    plan: Option<PlanId>,
    period_cost: Option<Exact>,
}

/// What a call costs before a policy changes that.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedQuote {
    #[serde(default)]
    entry: String,
    charges: Vec<StatedCharge>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedCharge {
    quantity: QuantityName,
    amount: u64,
    unit_price: Exact,
    side: Side,
}

/// A provider's raw answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedResponse {
    provider: ProviderId,
    flavor: Option<String>,
    /// A text of JSON, or JSON itself.
    body: Value,
}

impl Case {
    /// One case; an error names the offending value by its path.
    pub fn from_json(text: &str) -> anyhow::Result<Self> {
        let mut json = serde_json::Deserializer::from_str(text);
        serde_path_to_error::deserialize(&mut json)
            .map_err(|error| anyhow!("{}: {}", error.path(), error.inner()))
    }

    /// All cases of a file; an error names the line.
    pub fn all_from_toml(text: &str) -> anyhow::Result<Vec<Self>> {
        Ok(toml::from_str::<CaseFile>(text)?.cases)
    }
}
