//! What a call costs under one entry of the price list.

use tollgate_plugin::pricing::{Charge, Failure, Listing, Quote, Rate};
use tollgate_plugin::{Call, Decimal};

use crate::config::Price;
use crate::quantity::{self, TOTALS, Total, UNITS_OF_A_CALL};

/// The rates of a model, or of a provider without models.
pub(crate) struct Entry {
    /// For people: the model as the operator wrote it, or the provider.
    name: String,
    rates: Vec<Rated>,
    counts_tokens: bool,
    /// What a call is one of, unless its usage says.
    unit_of_a_call: Option<&'static str>,
}

struct Rated {
    quantity: String,
    unit_price: Decimal,
    side: &'static str,
    /// The parts of this quantity that have rates of their own.
    rated_parts: Vec<&'static str>,
}

impl Entry {
    pub(crate) fn new(price: &Price) -> Self {
        let is_rated = |quantity: &str| price.rates().any(|(rated, _)| rated == quantity);
        let rates = price.rates().map(|(quantity, unit_price)| Rated {
            quantity: quantity.into(),
            unit_price,
            side: quantity::side(quantity),
            rated_parts: quantity::parts(quantity)
                .iter()
                .copied()
                .filter(|it| is_rated(it))
                .collect(),
        });
        let rates: Vec<_> = rates.collect();
        let counts_tokens = rates.iter().any(|rate| rate.side != "fee");
        let unit = UNITS_OF_A_CALL.into_iter().find(|unit| is_rated(unit));
        let name = if price.model.is_empty() { &price.provider } else { &price.model };
        let unit_of_a_call = unit.filter(|_| !counts_tokens);
        Self { name: name.clone(), rates, counts_tokens, unit_of_a_call }
    }

    /// Whether a call states enough of its usage to say what it costs.
    pub(crate) fn is_told_by(&self, call: &Call) -> bool {
        let states = |total: &Total| call.amount(total.name).is_some();
        !self.counts_tokens || TOTALS.iter().any(states)
    }

    /// Prices the most specific part that has a rate, and the rest at the rate of its total. What
    /// has no rate is free.
    pub(crate) fn quote(&self, call: &Call) -> Result<Quote, Failure> {
        check_parts(call)?;
        let mut charges = Vec::with_capacity(self.rates.len());
        for rate in &self.rates {
            let amount = self.charged(call, rate)?;
            if !amount.is_zero() {
                charges.push(Charge::new(&rate.quantity, amount, rate.unit_price, rate.side)?);
            }
        }
        Ok(Quote { entry: self.name.clone(), charges })
    }

    /// What a quote comes to, without its lines.
    pub(crate) fn cost(&self, call: &Call) -> Result<Decimal, Failure> {
        check_parts(call)?;
        let mut cost = Decimal::ZERO;
        for rate in &self.rates {
            cost = cost.plus(self.charged(call, rate)?.times(rate.unit_price)?)?;
        }
        Ok(cost)
    }

    /// How much of a call is charged at this rate.
    fn charged(&self, call: &Call, rate: &Rated) -> Result<Decimal, Failure> {
        let mut amount = self.amount(call, &rate.quantity);
        for part in &rate.rated_parts {
            amount = amount.minus(call.amount(part).unwrap_or_default())?;
        }
        Ok(amount)
    }

    fn amount(&self, call: &Call, quantity: &str) -> Decimal {
        let stated = call.amount(quantity);
        match stated {
            None if self.unit_of_a_call == Some(quantity) => call.amount("calls"),
            stated => stated,
        }
        .unwrap_or_default()
    }
}

/// Parts of one total do not overlap, so that together they are at most their total.
fn check_parts(call: &Call) -> Result<(), Failure> {
    for total in &TOTALS {
        let stated = total.parts.iter().filter_map(|part| Some((*part, call.amount(part)?)));
        let mut rest = call.amount(total.name).unwrap_or_default();
        for (part, amount) in stated {
            rest = rest.minus(amount)?;
            if rest.is_negative() {
                let (part_amount, whole) = (amount, call.amount(total.name).unwrap_or_default());
                return Err(Failure::invalid_usage(format!(
                    "{part} ({part_amount}) is part of {} ({whole}), which has no room for it",
                    total.name,
                )));
            }
        }
    }
    Ok(())
}

/// The entry as customers see it.
pub(crate) fn listing(price: &Price) -> Listing {
    let rates =
        price.rates().map(|(quantity, unit_price)| Rate { quantity: quantity.into(), unit_price });
    Listing {
        provider: price.provider.clone(),
        model: price.model.clone(),
        rates: rates.collect(),
        description: price.description.clone(),
        effective_date: price.effective_date.map(|date| date.to_string()).unwrap_or_default(),
    }
}
