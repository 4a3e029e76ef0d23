//! Policies that say what calls cost.

pub use crate::bindings::pricing::exports::tollgate::policy::prices::{
    Charge, Estimation, Extraction, Failure, Listing, Quote, Rate,
};

/// When and for whom a line of the price list holds, and what is other above a threshold.
pub use crate::bindings::pricing::exports::tollgate::policy::price_terms::{
    Choice, Hours, TermRate, Terms, Tier,
};

/// Prices in numbers, for policies that are asked often.
pub use crate::bindings::pricing::exports::tollgate::policy::coded_prices::{
    CodedCharge, CodedQuote, Line,
};

/// What calls cost by rates, for policies that need not be asked for each.
pub use crate::bindings::pricing::exports::tollgate::policy::call_rates::{
    Bound, Guess, Rate as CallRate, Rates as CallRates,
};

use crate::bindings::pricing::exports::tollgate::policy::call_rates::Guest as RatesGuest;
use crate::bindings::pricing::exports::tollgate::policy::coded_prices::{
    Failure as CodedFailure, Guest as CodedGuest,
};
use crate::bindings::pricing::exports::tollgate::policy::price_terms::Guest as TermsGuest;
use crate::bindings::pricing::exports::tollgate::policy::price_wishes::Guest as WishesGuest;
use crate::bindings::pricing::exports::tollgate::policy::prices::Guest;
use crate::export::{self, Slot};
use crate::{Call, Decimal, Inexact, Policy};

/// A policy that prices calls.
pub trait PricingPolicy: Policy {
    /// The providers that this policy prices: ids, or `*` for any.
    fn claims(&self) -> Vec<String>;

    /// The price of what was used; `None` where this policy has no price for it.
    fn price(&self, call: &Call) -> Result<Option<Quote>, Failure>;

    /// What to hold for a call that is about to be made: the quantities that the caller left
    /// unstated, where the policy can tell them, and the cost of the whole, unless too little is
    /// known to say. `max_tokens` is the caller's bound on output.
    ///
    /// Unless a policy knows better, the usage is what the caller stated.
    fn estimate(&self, call: Call, max_tokens: Option<u32>) -> Result<Option<Estimation>, Failure> {
        let _ = max_tokens;
        let Some(quote) = self.price(&call)? else { return Ok(None) };
        Ok(Some(Estimation { filled_in: Vec::new(), cost: Some(quote.cost()?) }))
    }

    /// Finds the usage in a provider's raw answer, or in the list of the chunks of a stream.
    /// `None`, unless it says otherwise: this policy does not know that provider and flavor.
    fn extract(
        &self,
        provider: &str,
        flavor: &str,
        response: &str,
    ) -> Result<Option<Extraction>, Failure> {
        let _ = (provider, flavor, response);
        Ok(None)
    }

    /// The price list, in pages counted from 0; an empty page ends it. Empty unless it says
    /// otherwise.
    fn catalog(&self, page: u32) -> Vec<Listing> {
        let _ = page;
        Vec::new()
    }

    /// What there is to say of the lines of a page of the price list besides their rates, in their
    /// order. Nothing unless it says otherwise: all lines hold always and for all.
    fn terms(&self, page: u32) -> Vec<Terms> {
        let _ = page;
        Vec::new()
    }

    /// What stands on the policy's bills, where it prices in numbers: the host then asks for
    /// [`coded_price`](Self::coded_price) instead of [`price`](Self::price), which takes less time
    /// since no names are handed over. Nothing unless it says otherwise.
    fn lines(&self) -> Vec<Line> {
        Vec::new()
    }

    /// The price entries to which prices in numbers refer, in pages counted from 0; an empty page
    /// ends them.
    fn entries(&self, page: u32) -> Vec<String> {
        let _ = page;
        Vec::new()
    }

    /// The same as [`price`](Self::price), with positions among `lines` and `entries` for names.
    fn coded_price(&self, call: &Call) -> Result<Option<CodedQuote>, Failure> {
        let _ = call;
        Ok(None)
    }

    /// How the [`estimate`](Self::estimate) and the [`price`](Self::price) come about of this call
    /// and of all that differ from it in nothing but the subject, the instant and the amounts: the
    /// host then reckons those itself. `None`, unless it says otherwise: the policy is asked for
    /// each. It must be none where an estimate depends on averages.
    fn call_rates(&self, call: &Call, max_tokens: Option<u32>) -> Option<CallRates> {
        let _ = (call, max_tokens);
        None
    }

    /// What the policy wants of the host as it is configured: `average`, to be told in estimates
    /// what such a call of the subject used on average lately (the facts `average.<quantity>`);
    /// `overrides`, to find prices that are set at runtime in a list of that name in its
    /// configuration. Nothing unless it says otherwise.
    fn wishes(&self) -> Vec<&'static str> {
        Vec::new()
    }
}

impl Quote {
    /// What it comes to, in USD.
    pub fn cost(&self) -> Result<Decimal, Inexact> {
        self.charges.iter().try_fold(Decimal::default(), |sum, charge| sum.plus(charge.cost))
    }
}

impl Charge {
    /// So many of a quantity at a price for one. `side` is `input`, `output` or `fee`.
    pub fn new(
        quantity: &str,
        amount: Decimal,
        unit_price: Decimal,
        side: &str,
    ) -> Result<Self, Inexact> {
        let cost = amount.times(unit_price)?;
        Ok(Self { quantity: quantity.into(), amount, unit_price, cost, side: side.into() })
    }
}

impl Failure {
    /// The caller's fault: the usage contradicts itself.
    pub fn invalid_usage(message: impl Into<String>) -> Self {
        Self { code: "invalid_usage".into(), message: message.into() }
    }

    /// The provider's answer reports no usage.
    pub fn no_usage(message: impl Into<String>) -> Self {
        Self { code: "no_usage".into(), message: message.into() }
    }
}

/// Money is exact or an error.
impl From<Inexact> for Failure {
    fn from(inexact: Inexact) -> Self {
        Self { code: "inexact".into(), message: inexact.to_string() }
    }
}

/// Exports a [`PricingPolicy`] as the component's policy.
#[macro_export]
macro_rules! export_pricing {
    ($policy:ty) => {
        $crate::__export!($policy, pricing);
    };
}

impl<S: Slot<Policy: PricingPolicy>> Guest for S {
    fn claims() -> Vec<String> {
        export::policy::<S>().claims()
    }

    fn catalog(page: u32) -> Vec<Listing> {
        export::policy::<S>().catalog(page)
    }

    fn price(call: Call) -> Result<Option<Quote>, Failure> {
        export::policy::<S>().price(&call)
    }

    fn estimate(call: Call, max_tokens: Option<u32>) -> Result<Option<Estimation>, Failure> {
        export::policy::<S>().estimate(call, max_tokens)
    }

    fn extract(
        provider: String,
        flavor: String,
        response: String,
    ) -> Result<Option<Extraction>, Failure> {
        export::policy::<S>().extract(&provider, &flavor, &response)
    }
}

impl<S: Slot<Policy: PricingPolicy>> TermsGuest for S {
    fn of_page(page: u32) -> Vec<Terms> {
        export::policy::<S>().terms(page)
    }
}

impl<S: Slot<Policy: PricingPolicy>> WishesGuest for S {
    fn wishes() -> Vec<String> {
        export::policy::<S>().wishes().into_iter().map(String::from).collect()
    }
}

impl<S: Slot<Policy: PricingPolicy>> CodedGuest for S {
    fn lines() -> Vec<Line> {
        export::policy::<S>().lines()
    }

    fn entries(page: u32) -> Vec<String> {
        export::policy::<S>().entries(page)
    }

    fn price(call: Call) -> Result<Option<CodedQuote>, CodedFailure> {
        let failure = |Failure { code, message }| CodedFailure { code, message };
        export::policy::<S>().coded_price(&call).map_err(failure)
    }
}

impl<S: Slot<Policy: PricingPolicy>> RatesGuest for S {
    fn of_calls_like(call: Call, max_tokens: Option<u32>) -> Option<CallRates> {
        export::policy::<S>().call_rates(&call, max_tokens)
    }
}
