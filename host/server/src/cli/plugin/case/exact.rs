//! Values that are read from text, or not at all.

use std::fmt;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tollgate_domain::Amount;

/// A whole number, or a decimal in a string: TOML would make a float of anything else.
#[derive(Clone, Copy, Default)]
pub(super) struct Exact(pub Amount);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let amount = match &value {
            Value::String(text) => Some(text.parse()),
            Value::Number(number) => number.as_u64().map(|whole| Ok(whole.into())),
            _ => None,
        };
        let expected = "expected a whole number, or a decimal in quotes such as \"12.50\"";
        let amount = amount.ok_or_else(|| D::Error::custom(expected))?;
        amount.map(Self).map_err(|error| D::Error::custom(format_args!("{value} {error}")))
    }
}

/// One of the domain's words.
pub(super) struct Word<T>(pub T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|error| D::Error::custom(format_args!("`{text}` {error}")))
    }
}
