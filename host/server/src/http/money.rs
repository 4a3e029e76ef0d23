//! Numbers of the seed family: JSON numbers that carry the exact digits.

use serde::ser::{Error, Serialize, Serializer};
use serde_json::Number;
use tollgate_domain::Amount;

/// Written as a JSON number, digit by digit; it never passes through a float.
#[derive(Debug)]
pub struct Exact<T>(pub T);

impl<T: std::fmt::Display> Serialize for Exact<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number: Number = self.0.to_string().parse().map_err(S::Error::custom)?;
        number.serialize(serializer)
    }
}

/// Milliseconds as seconds.
pub fn seconds(millis: u64) -> Exact<Amount> {
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
