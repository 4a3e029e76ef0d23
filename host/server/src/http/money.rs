//! Numbers of the seed family: JSON numbers that carry the exact digits.

use rust_decimal::Decimal;
use serde::ser::{Error, Serialize, Serializer};
use tollgate_domain::{Amount, Usd};

use super::openapi::schema::{described, number};

/// Written as a JSON number, digit by digit; it never passes through a float.
#[derive(Debug)]
pub struct Exact<T>(pub T);

impl<T: std::fmt::Display> Serialize for Exact<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number: serde_json::Number = self.0.to_string().parse().map_err(S::Error::custom)?;
        number.serialize(serializer)
    }
}

/// US dollars of this family.
pub type Dollars = Exact<Usd>;

/// What is counted, or limited, in this family.
pub type Number = Exact<Amount>;

/// What is rounded, or only expected.
pub type Figure = Exact<Decimal>;

described! { [] Dollars, "Dollars", number("US dollars, with all of their digits.", "0.0003125") }
described! { [] Number, "Number", number("A number, with all of its digits.", "5000") }
described! { [] Figure, "Figure", number("A rounded number.", "12.5") }

/// Milliseconds as seconds.
pub fn seconds(millis: u64) -> Number {
    // A whole number of 64 bits and three decimals fits.
    Exact(Amount::with_scale(millis.into(), 3).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_arrives() {
        for text in ["15.75", "0.1", "0", "150", "12345678901234567890.123456789012345678"] {
            let amount: Amount = text.parse().unwrap();
            assert_eq!(serde_json::to_string(&Exact(amount)).unwrap(), text);
            // Also on the way through a value.
            assert_eq!(serde_json::to_value(Exact(amount)).unwrap().to_string(), text);
        }
    }
}
