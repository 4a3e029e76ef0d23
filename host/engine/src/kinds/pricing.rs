//! Pricing policies: what calls cost.

mod answer;
mod coded;
mod probe;
mod rates;

pub(super) use answer::side;
pub(crate) use rates::Rates;
use rates::compare;

use std::sync::Arc;

use serde::Serialize;
use tollgate_domain::{
    Call, Estimate, Extraction, Listing, ProviderId, QuantityName, Quote, Timestamp,
};
use wasmtime::Store;
use wasmtime::component::{Instance as ComponentInstance, InstancePre};

use self::coded::Coded;
use super::call::{Fact, with_call};
use super::kept::{Kept, Key};
use super::needs::{Need, Needs};
use super::{Kind, PolicyKind, exports};
use crate::bad_output::{BadOutput, each, word};
use crate::bindings::{call_rates, coded_prices, price_terms, price_wishes, prices};
use crate::candidate::AnyPolicy;
use crate::fault::Fault;
use crate::guest_state::GuestState;
use crate::instance::Instance;
use crate::policy::Policy;

pub(crate) struct Pricing;

/// Where the functions of a pricing policy's interfaces are.
pub(crate) struct Indices {
    prices: prices::GuestIndices,
    terms: Option<price_terms::GuestIndices>,
    wishes: Option<price_wishes::GuestIndices>,
    coded: Option<coded_prices::GuestIndices>,
    rates: Option<call_rates::GuestIndices>,
}

/// The functions of one instance.
pub(crate) struct Functions {
    prices: prices::Guest,
    terms: Option<price_terms::Guest>,
    wishes: Option<price_wishes::Guest>,
    coded: Option<Coded>,
    rates: Option<call_rates::Guest>,
}

/// What a call of a subject used on average lately, for policies that wish to know; empty where
/// that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Average(pub Vec<(QuantityName, u64)>);

/// What a pricing policy covers.
#[derive(Debug, PartialEq)]
pub(crate) struct PriceList {
    /// Whether it prices providers that it does not name.
    claims_any: bool,
    claims: Vec<ProviderId>,
    pub listings: Vec<Listing>,
    /// Whether its estimates depend on what the subject used lately.
    pub asks_average: bool,
    /// Whether prices that are set at runtime go into a list of their own.
    pub takes_overrides: bool,
    /// What it needs to be told of calls, where it says what those that are alike cost.
    rated_by: Option<Needs>,
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
    type Indices = Indices;
    type Guest = Functions;
    type Terms = PriceList;
    type Answers = probe::Answers;
    type Kept = Kept<Option<Arc<Rates>>>;

    const KIND: Kind = Kind::Pricing;

    fn indices(pre: &InstancePre<GuestState>) -> wasmtime::Result<Self::Indices> {
        Ok(Indices {
            prices: prices::GuestIndices::new(pre)?,
            terms: exports(pre, "price-terms")
                .then(|| price_terms::GuestIndices::new(pre))
                .transpose()?,
            wishes: exports(pre, "price-wishes")
                .then(|| price_wishes::GuestIndices::new(pre))
                .transpose()?,
            coded: exports(pre, "coded-prices")
                .then(|| coded_prices::GuestIndices::new(pre))
                .transpose()?,
            rates: exports(pre, "call-rates")
                .then(|| call_rates::GuestIndices::new(pre))
                .transpose()?,
        })
    }

    fn load(
        indices: &Self::Indices,
        store: &mut Store<GuestState>,
        instance: &ComponentInstance,
    ) -> wasmtime::Result<Self::Guest> {
        let (terms, wishes) = (indices.terms.as_ref(), indices.wishes.as_ref());
        let (coded, rates) = (indices.coded.as_ref(), indices.rates.as_ref());
        Ok(Functions {
            prices: indices.prices.load(&mut *store, instance)?,
            terms: terms.map(|terms| terms.load(&mut *store, instance)).transpose()?,
            wishes: wishes.map(|wishes| wishes.load(&mut *store, instance)).transpose()?,
            coded: coded
                .map(|coded| coded.load(&mut *store, instance))
                .transpose()?
                .map(Coded::new),
            rates: rates.map(|rates| rates.load(store, instance)).transpose()?,
        })
    }

    fn any(policy: Arc<Policy<Self>>) -> AnyPolicy {
        AnyPolicy::Pricing(policy)
    }

    fn configured(
        guest: &mut Functions,
        store: &mut Store<GuestState>,
    ) -> wasmtime::Result<Vec<String>> {
        if let Some(coded) = &mut guest.coded {
            coded.take_names(store)?;
        }
        guest.wishes.as_ref().map_or_else(|| Ok(Vec::new()), |it| it.call_wishes(store))
    }

    fn terms(instance: &mut Instance<Self>) -> Result<Self::Terms, Fault> {
        let claims = instance.set_up(|guest, store| guest.prices.call_claims(store))?;
        let (any, named): (Vec<_>, Vec<_>) = claims.into_iter().partition(|claim| claim == "*");
        let claims = each("claims", named, |claim| word("claim", &claim))?;
        let needs = instance.needs();
        Ok(PriceList {
            claims_any: !any.is_empty(),
            claims,
            listings: listings(instance)?,
            asks_average: needs.has(Need::Average),
            takes_overrides: needs.has(Need::Overrides),
            rated_by: instance.guest().rates.as_ref().map(|_| needs),
        })
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

    /// What a call has in common with all others that cost what it does for one of each quantity,
    /// `max_tokens` or not; `None` where the policy is to be asked.
    pub fn likeness(&self, call: &Call, max_tokens: Option<u32>) -> Option<Key> {
        rates::likeness(call, max_tokens, self.rated_by?)
    }
}

/// How closely a policy's claim fits a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    Exact,
    Any,
}

/// A policy's answer after a price, with its names or with their positions.
enum Said {
    InWords(Result<Option<prices::Quote>, prices::Failure>),
    InNumbers(Result<Option<coded_prices::CodedQuote>, coded_prices::Failure>),
}

/// The price of what was used.
pub(crate) fn price(
    instance: &mut Instance<Pricing>,
    call: &Call,
    at: Timestamp,
) -> Result<Answer<Quote>, Fault> {
    let needs = instance.needs().and_usage();
    let answer = with_call(call, at, needs, Vec::new(), |call, bytes| {
        instance.call(bytes, |guest, store| match guest.coded.as_ref().and_then(Coded::functions) {
            Some(coded) => coded.call_price(store, call).map(Said::InNumbers),
            None => guest.prices.call_price(store, call).map(Said::InWords),
        })
    })?;
    let coded = match answer {
        Said::InWords(answer) => return read(answer, answer::quote),
        Said::InNumbers(answer) => answer
            .map_err(|coded_prices::Failure { code, message }| prices::Failure { code, message }),
    };
    read(coded, |quote| match &instance.guest().coded {
        Some(coded) => coded.quote(quote),
        None => Err(BadOutput::new("entry", "is none")),
    })
}

/// The same, whether or not the policy prices in numbers.
fn price_in_words(
    instance: &mut Instance<Pricing>,
    call: &Call,
    at: Timestamp,
) -> Result<Answer<Quote>, Fault> {
    let needs = instance.needs().and_usage();
    let answer = with_call(call, at, needs, Vec::new(), |call, bytes| {
        instance.call(bytes, |guest, store| guest.prices.call_price(store, call))
    })?;
    read(answer, answer::quote)
}

/// What a call will probably use and cost.
pub(crate) fn estimate(
    instance: &mut Instance<Pricing>,
    call: &Call,
    at: Timestamp,
    average: &Average,
) -> Result<Answer<Estimate>, Fault> {
    let (needs, max_tokens) = (instance.needs().and_usage(), call.max_tokens);
    let facts: Vec<Fact<'_>> = match needs.has(Need::Average) {
        true => average.0.iter().map(fact_of_average).collect(),
        false => Vec::new(),
    };
    let answer = with_call(call, at, needs, facts, |call, bytes| {
        instance.call(bytes, |guest, store| guest.prices.call_estimate(store, call, max_tokens))
    })?;
    read(answer, |estimation| answer::estimate(&call.usage, estimation))
}

/// How the estimates and prices come about of all calls that are like this one, if the policy says.
fn rates(
    instance: &mut Instance<Pricing>,
    call: &Call,
    at: Timestamp,
    max_tokens: Option<u32>,
) -> Result<Option<Rates>, Fault> {
    let needs = instance.needs().and_usage();
    let said = with_call(call, at, needs, Vec::new(), |call, bytes| {
        instance.call(bytes, |guest, store| match &guest.rates {
            Some(rates) => rates.call_of_calls_like(store, call, max_tokens),
            None => Ok(None),
        })
    })?;
    Ok(said.map(Rates::read).transpose()?)
}

/// An estimate, and how it comes about.
pub(crate) fn learn(
    instance: &mut Instance<Pricing>,
    call: &Call,
    at: Timestamp,
    average: &Average,
) -> Result<(Answer<Estimate>, Option<Rates>), Fault> {
    let answer = estimate(instance, call, at, average)?;
    let rates = rates(instance, call, at, call.max_tokens)?;
    let reckoned = rates.as_ref().and_then(|rates| rates.estimate(call, at));
    compare(reckoned, &answer, "estimate")?;
    Ok((answer, rates))
}

/// A price, and how it comes about.
pub(crate) fn learn_price(
    instance: &mut Instance<Pricing>,
    call: &Call,
    at: Timestamp,
) -> Result<(Answer<Quote>, Option<Rates>), Fault> {
    let answer = price(instance, call, at)?;
    // A bound on what was to come no longer matters.
    let rates = rates(instance, call, at, None)?;
    let reckoned = rates.as_ref().and_then(|rates| rates.quote(call, at));
    compare(reckoned, &answer, "price")?;
    Ok((answer, rates))
}

fn fact_of_average((quantity, amount): &(QuantityName, u64)) -> Fact<'static> {
    (format!("average.{quantity}").into(), amount.to_string().into())
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
        guest.prices.call_extract(store, provider.as_str(), flavor, response)
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
        let listings = instance.set_up(|guest, store| guest.prices.call_catalog(store, page))?;
        if listings.is_empty() {
            return Ok(all);
        }
        let mut listings = each("catalog", listings, answer::listing)?;
        add_terms(instance, page, &mut listings)?;
        all.extend(listings);
    }
    Err(BadOutput::new("catalog", format_args!("has more than {PAGES_MAX} pages")).into())
}

/// Adds what the policy says of the lines of a page besides their rates, if it does.
fn add_terms(
    instance: &mut Instance<Pricing>,
    page: u32,
    listings: &mut [Listing],
) -> Result<(), Fault> {
    let said = instance.set_up(|guest, store| {
        guest.terms.as_ref().map(|terms| terms.call_of_page(store, page)).transpose()
    })?;
    for (line, terms) in each("terms", said.unwrap_or_default(), answer::terms)? {
        let Some(listing) = listings.get_mut(line) else {
            return Err(BadOutput::new("line", format_args!("{line} is not on page {page}")).into());
        };
        listing.terms = terms;
    }
    Ok(())
}
