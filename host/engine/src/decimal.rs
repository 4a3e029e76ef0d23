//! Numbers on their way into a guest and out of it, exact or not at all.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use tollgate_domain::{Amount, Usd};

use crate::bad_output::BadOutput;
use crate::bindings::types;
use crate::fault::Fault;

const SCALE_MAX: u8 = 28;

/// An amount in the contract's form. The contract has 96 bits, an [`Amount`] more.
pub(crate) fn from_amount(amount: Amount) -> Result<types::Decimal, Fault> {
    if let Some(count) = amount.to_count() {
        return Ok(from_count(count));
    }
    let decimal = amount.to_decimal().ok_or_else(|| {
        Fault::Unavailable(format!("{amount} has more digits than a policy can be given"))
    })?;
    let parts = decimal.unpack();
    Ok(types::Decimal {
        low: parts.lo,
        middle: parts.mid,
        high: parts.hi,
        // At most 18, an amount's decimals.
        scale: parts.scale as u8,
        negative: parts.negative,
    })
}

pub(crate) fn from_count(count: u64) -> types::Decimal {
    types::Decimal {
        low: count as u32,
        middle: (count >> 32) as u32,
        high: 0,
        scale: 0,
        negative: false,
    }
}

/// An amount that cannot be negative: a limit, a price, a cost.
pub(crate) fn to_amount(place: &str, decimal: types::Decimal) -> Result<Amount, BadOutput> {
    // Amounts are mostly whole.
    if let types::Decimal { low, middle, high: 0, scale: 0, negative: false } = decimal {
        return Ok((u64::from(middle) << 32 | u64::from(low)).into());
    }
    let decimal = to_decimal(place, decimal)?;
    let amount = Amount::try_from(decimal).map_err(|error| BadOutput::new(place, error))?;
    if amount.is_negative() {
        return Err(BadOutput::new(place, "is negative"));
    }
    Ok(amount)
}

pub(crate) fn to_usd(place: &str, decimal: types::Decimal) -> Result<Usd, BadOutput> {
    to_amount(place, decimal).map(Usd)
}

/// A whole number that cannot be negative: how many tokens, calls, images.
pub(crate) fn to_count(place: &str, decimal: types::Decimal) -> Result<u64, BadOutput> {
    if let types::Decimal { low, middle, high: 0, scale: 0, negative: false } = decimal {
        return Ok(u64::from(middle) << 32 | u64::from(low));
    }
    let decimal = to_decimal(place, decimal)?;
    if !decimal.is_integer() {
        return Err(BadOutput::new(place, "is not a whole number"));
    }
    decimal.to_u64().ok_or_else(|| BadOutput::new(place, "is negative or too large to count"))
}

/// Whether `amount` of something at `unit_price` costs exactly `cost`.
pub(crate) fn multiplies_to(amount: Amount, unit_price: Usd, cost: Usd) -> bool {
    product(amount, unit_price) == Some(cost)
}

/// What `amount` of something costs at `unit_price`, where that is a number of 18 decimals.
pub(crate) fn product(amount: Amount, unit_price: Usd) -> Option<Usd> {
    // Amounts are mostly whole.
    if let Some(product) = amount.to_count().and_then(|count| unit_price.0.checked_times(count)) {
        return Some(Usd(product));
    }
    let exact = || {
        let (a, b) = (amount.to_decimal()?.normalize(), unit_price.0.to_decimal()?.normalize());
        let product = a.mantissa().checked_mul(b.mantissa())?;
        let scale = a.scale() + b.scale();
        // Within 28 decimals and 96 bits, `Decimal` holds the product without rounding.
        Decimal::try_from_i128_with_scale(product, scale).ok()
    };
    exact().and_then(|product| Amount::try_from(product).ok()).map(Usd)
}

fn to_decimal(place: &str, decimal: types::Decimal) -> Result<Decimal, BadOutput> {
    let types::Decimal { low, middle, high, scale, negative } = decimal;
    if scale > SCALE_MAX {
        return Err(BadOutput::new(place, format_args!("has a scale of {scale}, more than 28")));
    }
    if negative && (low, middle, high) == (0, 0, 0) {
        return Err(BadOutput::new(place, "is a negative zero"));
    }
    Ok(Decimal::from_parts(low, middle, high, negative, scale.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    fn decimal(low: u32, scale: u8, negative: bool) -> types::Decimal {
        types::Decimal { low, middle: 0, high: 0, scale, negative }
    }

    #[test]
    fn every_amount_of_96_bits_survives_the_way_in_and_out() {
        for text in
            ["0", "1", "0.000000000000000001", "79228162514.264337593543950335", "4294967296"]
        {
            let there = from_amount(amount(text)).unwrap();
            assert_eq!(to_amount("back", there).unwrap(), amount(text));
        }
        assert_eq!(to_count("back", from_count(u64::MAX)).unwrap(), u64::MAX);
    }

    #[test]
    fn what_a_policy_cannot_be_given_exactly_is_not_given() {
        let long = amount("79228162515.000000000000000001");
        assert!(matches!(from_amount(long), Err(Fault::Unavailable(_))));
    }

    #[test]
    fn what_is_not_exact_is_refused_and_never_rounded() {
        for (wrong, problem) in [
            (decimal(1, 29, false), "has a scale of 29, more than 28"),
            (decimal(1, 19, false), "has more than 18 decimals"),
            (decimal(0, 0, true), "is a negative zero"),
            (decimal(1, 0, true), "is negative"),
        ] {
            let error = to_amount("cost", wrong).unwrap_err();
            assert_eq!(error.to_string(), format!("cost: {problem}"));
        }
        assert!(to_count("amount", decimal(15, 1, false)).is_err(), "1.5 calls");
        assert_eq!(to_count("amount", decimal(150, 1, false)), Ok(15));
    }

    #[test]
    fn a_cost_must_be_the_exact_product() {
        let usd = |text: &str| text.parse::<Usd>().unwrap();
        assert!(multiplies_to(amount("1500"), usd("0.0000003"), usd("0.00045")));
        assert!(multiplies_to(amount("0"), usd("0.0000003"), usd("0")));
        assert!(!multiplies_to(amount("1500"), usd("0.0000003"), usd("0.00046")));
        let fine = usd("0.000000000000000001");
        assert!(!multiplies_to(amount("0.1"), fine, Usd::ZERO), "19 decimals are not zero");
    }
}
