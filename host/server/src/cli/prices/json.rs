//! Reading of JSON that others wrote, with each number in the digits that it has there.

use anyhow::{Context, bail};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

pub type Object = Map<String, Value>;

/// A number as a decimal, by its digits: no float is made of it.
pub fn decimal(value: &Value) -> Option<Decimal> {
    let text = match value {
        Value::Number(number) => number.as_str(),
        _ => return None,
    };
    let has_exponent = text.contains(['e', 'E']);
    let parsed = match has_exponent {
        true => from_scientific(text)?,
        false => Decimal::from_str_exact(text).ok()?,
    };
    Some(parsed.normalize())
}

/// `1.5e-7` by its digits, or not at all.
fn from_scientific(text: &str) -> Option<Decimal> {
    let (digits, exponent) = text.split_once(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let number = Decimal::from_str_exact(digits).ok()?;
    let scale = i32::try_from(number.scale()).ok()?.checked_sub(exponent)?;
    match u32::try_from(scale) {
        Ok(scale) => Decimal::try_from_i128_with_scale(number.mantissa(), scale).ok(),
        Err(_) => {
            let tens = 10_i128.checked_pow(scale.unsigned_abs())?;
            Decimal::try_from_i128_with_scale(number.mantissa().checked_mul(tens)?, 0).ok()
        }
    }
}

/// A count, however it is written: `200000` and `2e5`.
pub fn count(value: &Value) -> Option<u64> {
    let number = decimal(value)?;
    number.is_integer().then(|| u64::try_from(number.mantissa()).ok()).flatten()
}

pub fn text<'v>(object: &'v Object, name: &str) -> &'v str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub fn list<'v>(object: &'v Object, name: &str) -> &'v [Value] {
    object.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub fn object<'v>(value: &'v Value, what: &str) -> anyhow::Result<&'v Object> {
    value.as_object().with_context(|| format!("{what} is no object"))
}

/// The one member of an object that has just one.
pub fn only<'v>(value: &'v Value, what: &str) -> anyhow::Result<(&'v str, &'v Value)> {
    let members = object(value, what)?;
    match members.iter().next() {
        Some((name, value)) if members.len() == 1 => Ok((name, value)),
        _ => bail!("{what} has not one member"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        for (written, read) in [
            ("0.1", "0.1"),
            ("1e-7", "0.0000001"),
            ("1.50e-07", "0.00000015"),
            ("2.5E3", "2500"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("3", "3"),
        ] {
            let value: Value = serde_json::from_str(written).unwrap();
            assert_eq!(decimal(&value).unwrap().to_string(), read, "{written}");
        }
        let value: Value = serde_json::from_str("1e-40").unwrap();
        assert_eq!(decimal(&value), None);
        assert_eq!(count(&serde_json::from_str("2.56e5").unwrap()), Some(256_000));
    }
}
