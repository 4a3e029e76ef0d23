//! Pricing policies: what calls cost.

mod answer;
mod probe;

pub(super) use answer::side;

use std::sync::Arc;

use serde::Serialize;
use tollgate_domain::{Call, Estimate, Extraction, Listing, ProviderId, Quote, Timestamp};
use wasmtime::Store;
use wasmtime::component::{Instance as ComponentInstance, InstancePre};

use super::call::with_call;
use super::{Kind, PolicyKind};
use crate::bad_output::{BadOutput, each, word};
use crate::bindings::prices;
use crate::candidate::AnyPolicy;
use crate::fault::Fault;
use crate::guest_state::GuestState;
use crate::instance::Instance;
use crate::policy::Policy;

pub(crate) struct Pricing;

/// What a pricing policy covers.
#[derive(Debug, PartialEq)]
pub(crate) struct PriceList {
    /// Whether it prices providers that it does not name.
    claims_any: bool,
    claims: Vec<ProviderId>,
    pub listings: Vec<Listing>,
}

/// A policy's word that what the caller stated is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Rejected {
    /// `invalid_usage`, `no_usage`, or the policy's own word.
    pub code: String,
    pub message: String,
}

/// A policy's answer: none where it has no price for the call.
pub(crate) type Answer<T> = Result<Option<T>, Rejected>;

/// A price list has fewer pages, or it is not a list but a loop.
const PAGES_MAX: u32 = 10_000;

impl PolicyKind for Pricing {
    type Indices = prices::GuestIndices;
    type Guest = prices::Guest;
    type Terms = PriceList;
    type Answers = probe::Answers;

    const KIND: Kind = Kind::Pricing;

    fn indices(pre: &InstancePre<GuestState>) -> wasmtime::Result<Self::Indices> {
        prices::GuestIndices::new(pre)
    }

    fn load(
        indices: &Self::Indices,
        store: &mut Store<GuestState>,
        instance: &ComponentInstance,
    ) -> wasmtime::Result<Self::Guest> {
        indices.load(store, instance)
    }

    fn any(policy: Arc<Policy<Self>>) -> AnyPolicy {
        AnyPolicy::Pricing(policy)
    }

    fn terms(instance: &mut Instance<Self>) -> Result<Self::Terms, Fault> {
        let claims = instance.set_up(|guest, store| guest.call_claims(store))?;
        let (any, named): (Vec<_>, Vec<_>) = claims.into_iter().partition(|claim| claim == "*");
        let claims = each("claims", named, |claim| word("claim", &claim))?;
        Ok(PriceList { claims_any: !any.is_empty(), claims, listings: listings(instance)? })
    }

    fn probe(instance: &mut Instance<Self>, list: &Self::Terms) -> Result<Self::Answers, Fault> {
        probe::run(instance, list)
    }
}

impl PriceList {
    /// Whether the policy claims the provider: by its name, or as one of any.
    pub fn claim(&self, provider: &ProviderId) -> Option<Claim> {
        if self.claims.contains(provider) {
            Some(Claim::Exact)
        } else {
            self.claims_any.then_some(Claim::Any)
        }
    }
}

/// How closely a policy's claim fits a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    Exact,
    Any,
}

/// The price of what was used.
pub(crate) fn price(
    instance: &mut Instance<Pricing>,
    call: &Call,
    at: Timestamp,
) -> Result<Answer<Quote>, Fault> {
    let needs = instance.needs().and_usage();
    let answer = with_call(call, at, needs, Vec::new(), |call, bytes| {
        instance.call(bytes, |guest, store| guest.call_price(store, call))
    })?;
    read(answer, answer::quote)
}

/// What a call will probably use and cost.
pub(crate) fn estimate(
    instance: &mut Instance<Pricing>,
    call: &Call,
    at: Timestamp,
) -> Result<Answer<Estimate>, Fault> {
    let (needs, max_tokens) = (instance.needs().and_usage(), call.max_tokens);
    let answer = with_call(call, at, needs, Vec::new(), |call, bytes| {
        instance.call(bytes, |guest, store| guest.call_estimate(store, call, max_tokens))
    })?;
    read(answer, |estimation| answer::estimate(&call.usage, estimation))
}

/// The usage in a provider's raw answer.
pub(crate) fn extract(
    instance: &mut Instance<Pricing>,
    provider: &ProviderId,
    flavor: &str,
    response: &str,
) -> Result<Answer<Extraction>, Fault> {
    let bytes = (flavor.len() + response.len()) as u64;
    let answer = instance.call(bytes, |guest, store| {
        guest.call_extract(store, provider.as_str(), flavor, response)
    })?;
    read(answer, answer::extraction)
}

fn read<T, U>(
    answer: Result<Option<T>, prices::Failure>,
    read: impl FnOnce(T) -> Result<U, BadOutput>,
) -> Result<Answer<U>, Fault> {
    match answer {
        Ok(Some(value)) => Ok(Ok(Some(read(value)?))),
        Ok(None) => Ok(Ok(None)),
        Err(failure) => Ok(Err(answer::rejected(failure)?)),
    }
}

fn listings(instance: &mut Instance<Pricing>) -> Result<Vec<Listing>, Fault> {
    let mut all = Vec::new();
    for page in 0..PAGES_MAX {
        let listings = instance.set_up(|guest, store| guest.call_catalog(store, page))?;
        if listings.is_empty() {
            return Ok(all);
        }
        all.extend(each("catalog", listings, answer::listing)?);
    }
    Err(BadOutput::new("catalog", format_args!("has more than {PAGES_MAX} pages")).into())
}
