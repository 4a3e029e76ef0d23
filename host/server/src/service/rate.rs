//! From what a caller says of a call that was made to a report that the ledger takes.

use std::time::Duration;

use tollgate_domain::{Call, Charge, ModelId, ProviderId, SubjectPath, Timestamp, Usage, Usd};
use tollgate_engine::{Payer, PolicySet};
use tollgate_ledger::{Fingerprint, Report};

use super::Error;

/// How far ahead of this clock a caller's may run.
const AHEAD_MAX: Duration = Duration::from_secs(5 * 60);

/// How a caller says what was used.
#[derive(Debug)]
pub enum Used {
    Stated(Usage),
    /// The provider's raw answer, in JSON.
    Response {
        flavor: String,
        body: String,
    },
}

/// How a call went.
#[derive(Debug)]
pub struct Made {
    /// Of the content as it was sent.
    pub fingerprint: Fingerprint,
    pub used: Used,
    /// The caller's own word, which wins over the price list.
    pub cost: Option<Usd>,
    pub response_time_ms: Option<u64>,
    pub status_code: Option<u16>,
    pub error: Option<String>,
    pub request_id: Option<String>,
}

/// What was used, and what that costs.
pub(super) struct Rated {
    pub call: Call,
    pub cost: Option<Usd>,
    pub charges: Vec<Charge>,
}

/// Finds the usage, and prices it at `at`.
pub(super) fn rate(
    set: &PolicySet,
    payer: &Payer,
    mut call: Call,
    made: &Made,
    at: Timestamp,
    now: Timestamp,
) -> Result<Rated, Error> {
    if at > now.plus(AHEAD_MAX) {
        return Err(Error::TooFarAhead);
    }
    let (usage, model) = found(set, &call.provider, &made.used, Some(&call.subject))?;
    call.usage = usage;
    call.model = call.model.or(model);
    if made.cost.is_some() {
        return Ok(Rated { call, cost: made.cost, charges: vec![] });
    }
    let quote = set.price(&call, at, payer)?;
    let (cost, charges) = quote.map(|quote| (quote.cost, quote.charges)).unzip();
    Ok(Rated { call, cost, charges: charges.unwrap_or_default() })
}

/// The usage, and the model that answered if only the provider's answer says so.
pub(super) fn found(
    set: &PolicySet,
    provider: &ProviderId,
    used: &Used,
    subject: Option<&SubjectPath>,
) -> Result<(Usage, Option<ModelId>), Error> {
    match used {
        Used::Stated(usage) => Ok((usage.clone(), None)),
        Used::Response { flavor, body } => match set.extract(provider, flavor, body, subject)? {
            Some(extraction) => Ok((extraction.usage, extraction.model)),
            None => {
                Err(Error::UnknownFlavor { provider: provider.clone(), flavor: flavor.clone() })
            }
        },
    }
}

pub(super) fn report(rated: Rated, made: Made, occurred_at: Timestamp, revision: &str) -> Report {
    let Rated { call, cost, charges } = rated;
    Report {
        key: None,
        fingerprint: made.fingerprint,
        subject: call.subject,
        provider: call.provider,
        model: call.model,
        endpoint: call.endpoint,
        method: None,
        service_tier: call.service_tier,
        region: call.region,
        usage: call.usage,
        cost,
        cost_given: made.cost.is_some(),
        charges,
        response_time_ms: made.response_time_ms,
        status_code: made.status_code,
        error: made.error,
        request_id: made.request_id,
        metadata: call.metadata,
        occurred_at,
        revision: revision.to_owned(),
    }
}
