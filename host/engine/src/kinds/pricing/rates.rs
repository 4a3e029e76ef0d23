//! Estimates and prices that need not be asked for: so much for one of each quantity.

use tollgate_domain::{
    Call, Charge, Estimate, ExpectedCost, QuantityName, Quote, Side, Timestamp, Usage, Usd,
};

use super::Answer;
use super::answer::side;
use crate::bad_output::{BadOutput, each, word};
use crate::bindings::call_rates;
use crate::decimal::{product, to_count, to_usd};
use crate::kinds::kept::{END, Key, NONE};
use crate::kinds::needs::{Need, Needs};

/// Of larger amounts the policy is asked: its arithmetic may have an end where ours has none yet.
const AMOUNT_MAX: u64 = 1_000_000_000;

/// How the estimates and the prices of calls that are alike come about.
#[derive(Debug, PartialEq)]
pub(crate) struct Rates {
    entry: String,
    /// Quantities that are not stated; `None` for the caller's bound.
    filled_in: Vec<(QuantityName, Option<u64>)>,
    rates: Vec<Rate>,
    /// The most for which these hold.
    bounds: Vec<(QuantityName, u64)>,
    /// In milliseconds.
    since: u64,
    until: Option<u64>,
}

#[derive(Debug, PartialEq)]
struct Rate {
    quantity: QuantityName,
    charged_as: QuantityName,
    side: Side,
    /// For one.
    unit_price: Usd,
}

impl Rates {
    pub fn read(said: call_rates::Rates) -> Result<Self, BadOutput> {
        Ok(Self {
            entry: said.entry,
            filled_in: each("filled-in", said.filled_in, |guess| {
                let amount = guess.amount.map(|amount| to_count("amount", amount));
                Ok((word("quantity", &guess.quantity)?, amount.transpose()?))
            })?,
            rates: each("rates", said.rates, |rate| {
                Ok(Rate {
                    quantity: word("quantity", &rate.quantity)?,
                    charged_as: word("charged-as", &rate.charged_as)?,
                    side: side(&rate.side)?,
                    unit_price: to_usd("unit-price", rate.unit_price)?,
                })
            })?,
            bounds: each("bounds", said.bounds, |bound| {
                Ok((word("quantity", &bound.quantity)?, to_count("at-most", bound.at_most)?))
            })?,
            since: said.since,
            until: said.until,
        })
    }

    /// Whether their time has passed.
    pub fn are_over(&self, at: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= at.millis())
    }

    /// The estimate of a call that is like the one for which these were told; `None` where they do
    /// not hold for it.
    pub fn estimate(&self, call: &Call, at: Timestamp) -> Option<Estimate> {
        let usage = self.fill_in(call)?;
        if !self.hold_for(&usage, at) {
            return None;
        }
        let mut cost = Usd::ZERO;
        for rate in &self.rates {
            let amount = usage.get(rate.quantity.as_str()).unwrap_or(0);
            cost = cost.checked_add(product(amount.into(), rate.unit_price)?)?;
        }
        Some(Estimate { usage, cost: ExpectedCost::Known(cost) })
    }

    /// The price of one; `None` where they do not hold for it.
    pub fn quote(&self, call: &Call, at: Timestamp) -> Option<Quote> {
        if !self.filled_in.is_empty() || !self.hold_for(&call.usage, at) {
            return None;
        }
        let used = |rate: &Rate| call.usage.get(rate.quantity.as_str()).filter(|it| *it > 0);
        let charge = |rate: &Rate| used(rate).map(|amount| rate.charge(amount));
        let charges = self.rates.iter().filter_map(charge).collect::<Option<_>>()?;
        Quote::new(self.entry.clone(), charges)
    }

    fn hold_for(&self, usage: &Usage, at: Timestamp) -> bool {
        let within = |(quantity, most): &(QuantityName, u64)| {
            usage.get(quantity.as_str()).is_none_or(|amount| amount <= *most)
        };
        self.since <= at.millis()
            && !self.are_over(at)
            && usage.iter().all(|(_, amount)| amount <= AMOUNT_MAX)
            && self.bounds.iter().all(within)
    }

    fn fill_in(&self, call: &Call) -> Option<Usage> {
        if self.filled_in.is_empty() {
            return Some(call.usage.clone());
        }
        let filled_in = self.filled_in.iter().map(|(quantity, amount)| {
            Some((quantity.clone(), amount.or(call.max_tokens.map(u64::from))?))
        });
        call.usage.with(filled_in.collect::<Option<Vec<_>>>()?).ok()
    }
}

impl Rate {
    fn charge(&self, amount: u64) -> Option<Charge> {
        let amount = amount.into();
        Some(Charge {
            quantity: self.charged_as.clone(),
            amount,
            unit_price: self.unit_price,
            cost: product(amount, self.unit_price)?,
            side: self.side,
        })
    }
}

/// What rates come to, where they hold, must be what the policy says.
pub(super) fn compare<T: PartialEq>(
    reckoned: Option<T>,
    said: &Answer<T>,
    by: &str,
) -> Result<(), BadOutput> {
    match (reckoned, said) {
        (None, _) => Ok(()),
        (Some(reckoned), Ok(Some(said))) if reckoned == *said => Ok(()),
        (Some(_), _) => {
            let problem = format_args!("does not come to what `prices.{by}` says");
            Err(BadOutput::new("call-rates.of-calls-like", problem))
        }
    }
}

/// What a call has in common with those that are alike, for a policy that needs this; `None` where
/// there may be no other.
pub(super) fn likeness(call: &Call, max_tokens: Option<u32>, needs: Needs) -> Option<Key> {
    let tells_apart = |need| needs.has(need);
    if tells_apart(Need::Subject) || tells_apart(Need::Metadata) && !call.metadata.is_empty() {
        return None;
    }
    let mut key = Key::new();
    let mut add = |text: Option<&str>| {
        key.extend_from_slice(text.map_or(&[NONE], str::as_bytes));
        key.push(END);
    };
    add(Some(call.provider.as_str()));
    add(call.model.as_ref().map(|model| model.as_str()));
    if needs.has(Need::Endpoint) {
        add(call.endpoint.as_ref().map(|endpoint| endpoint.as_str()));
    }
    if needs.has(Need::ServiceTier) {
        add(call.service_tier.as_deref());
    }
    if needs.has(Need::Region) {
        add(call.region.as_deref());
    }
    for feature in call.features.iter().filter(|_| needs.has(Need::Features)) {
        add(Some(feature.as_str()));
    }
    // Features end here.
    add(None);
    call.usage.iter().for_each(|(quantity, _)| add(Some(quantity.as_str())));
    add(max_tokens.map(|_| ""));
    Some(key)
}

#[cfg(test)]
mod tests {
    use tollgate_domain::Metadata;

    use super::*;
    use crate::kinds::Kind;

    fn call(usage: &[(&str, u64)], max_tokens: Option<u32>) -> Call {
        let usage = usage.iter().map(|(name, amount)| (name.parse().unwrap(), *amount));
        Call {
            subject: "acme/ann".parse().unwrap(),
            provider: "gemini".parse().unwrap(),
            model: "gemini-2.5-flash".parse().ok(),
            endpoint: None,
            usage: Usage::new(usage).unwrap(),
            max_tokens,
            features: Vec::new(),
            service_tier: None,
            region: None,
            metadata: Metadata::new(),
        }
    }

    fn rate(quantity: &str, unit_price: &str, side: Side) -> Rate {
        let quantity: QuantityName = quantity.parse().unwrap();
        let unit_price = Usd(unit_price.parse().unwrap());
        Rate { charged_as: quantity.clone(), quantity, side, unit_price }
    }

    /// In at 0.000001, out at 0.000002 and at most so many filled in; from the first second to the
    /// second one, for up to a hundred tokens in.
    fn rates() -> Rates {
        Rates {
            entry: "m".into(),
            filled_in: vec![("output_tokens".parse().unwrap(), None)],
            rates: vec![
                rate("input_tokens", "0.000001", Side::Input),
                rate("output_tokens", "0.000002", Side::Output),
            ],
            bounds: vec![("input_tokens".parse().unwrap(), 100)],
            since: 1_000,
            until: Some(2_000),
        }
    }

    fn reckoned(input: u64, max_tokens: Option<u32>, at_millis: i64) -> Option<String> {
        let at = Timestamp::from_micros(at_millis * 1_000);
        let estimate = rates().estimate(&call(&[("input_tokens", input)], max_tokens), at)?;
        let output = estimate.usage.get("output_tokens")?;
        Some(format!("{output} {}", estimate.cost.known()?))
    }

    #[test]
    fn an_estimate_is_what_is_stated_and_filled_in_at_its_rates() {
        assert_eq!(reckoned(100, Some(7), 1_000).as_deref(), Some("7 0.000114"));
        assert_eq!(reckoned(0, Some(0), 1_999).as_deref(), Some("0 0"));
    }

    #[test]
    fn a_price_has_a_charge_for_all_that_was_used_and_nothing_filled_in() {
        let at = Timestamp::from_micros(1_500_000);
        let used = call(&[("input_tokens", 100), ("output_tokens", 0)], None);
        assert_eq!(rates().quote(&used, at), None, "it would be filled in");
        let rates = Rates { filled_in: Vec::new(), ..rates() };
        let quote = rates.quote(&used, at).unwrap();
        let charges: Vec<_> =
            quote.charges.iter().map(|it| (it.quantity.as_str(), it.side)).collect();
        assert_eq!(charges, [("input_tokens", Side::Input)], "what was not used is not charged");
        assert_eq!((quote.entry.as_str(), quote.cost.to_string().as_str()), ("m", "0.0001"));
        assert_eq!(rates.quote(&call(&[("input_tokens", 101)], None), at), None);
    }

    #[test]
    fn nothing_is_reckoned_where_the_rates_do_not_hold() {
        assert_eq!(reckoned(101, Some(7), 1_000), None, "more than the bound");
        assert_eq!(reckoned(100, None, 1_000), None, "nothing to fill in");
        assert_eq!(reckoned(100, Some(7), 999), None, "before");
        assert_eq!(reckoned(100, Some(7), 2_000), None, "after");
        assert_eq!(reckoned(100, Some(u32::MAX), 1_000), None, "large");
    }

    #[test]
    fn calls_are_alike_that_differ_in_subject_and_amounts_alone() {
        let needs = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            Needs::parse(Kind::Pricing, &names).unwrap()
        };
        let some = needs(&["service-tier", "region", "metadata"]);
        let of = |call: &Call| likeness(call, call.max_tokens, some);
        let first = call(&[("input_tokens", 1)], Some(5));
        let other =
            Call { subject: "zoe".parse().unwrap(), ..call(&[("input_tokens", 9)], Some(6)) };
        assert!(of(&first).is_some());
        assert_eq!(of(&first), of(&other));
        for different in [
            call(&[("input_tokens", 1)], None),
            call(&[("output_tokens", 1)], Some(5)),
            call(&[], Some(5)),
            Call { model: None, ..first.clone() },
            Call { service_tier: Some("batch".into()), ..first.clone() },
            Call { region: Some("batch".into()), ..first.clone() },
        ] {
            assert_ne!(of(&first), of(&different), "{different:?}");
        }
        let tagged = Call { metadata: Metadata::from([("a".into(), "b".into())]), ..first.clone() };
        assert_eq!(of(&tagged), None);
        assert_eq!(likeness(&tagged, None, needs(&[])), likeness(&first, None, needs(&[])));
        assert_eq!(likeness(&first, None, needs(&["subject"])), None);
    }
}
