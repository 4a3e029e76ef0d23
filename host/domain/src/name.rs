//! Names that come from outside: checked once, cheap to copy.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize};

/// Why a text is not the name it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("must not be empty")]
    Empty,
    #[error("must not be longer than {0} bytes")]
    TooLong(usize),
    #[error("must not contain control characters")]
    Control,
    #[error("may contain only a-z, 0-9 and any of . _ -")]
    NotAnId,
    #[error("must not begin or end with / or contain //")]
    EmptySegment,
    #[error("must not have more than 8 segments")]
    TooDeep,
}

/// Any text of 1 to `max` bytes without control characters.
pub(crate) fn plain(text: &str, max: usize) -> Result<(), NameError> {
    match text {
        "" => Err(NameError::Empty),
        _ if text.len() > max => Err(NameError::TooLong(max)),
        _ if text.chars().any(char::is_control) => Err(NameError::Control),
        _ => Ok(()),
    }
}

/// A lower-case identifier of 1 to `max` bytes.
fn id(text: &str, max: usize) -> Result<(), NameError> {
    plain(text, max)?;
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    if text.bytes().all(allowed) { Ok(()) } else { Err(NameError::NotAnId) }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $check:ident, $max:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(CompactString);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                $check(text, $max)?;
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = CompactString::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

names! {
    /// Who serves a call: `gemini`, `openai`, …
    ProviderId: id, 64;
    /// Which of a provider's models serves a call, as the provider spells it.
    ModelId: plain, 200;
    /// What is measured: `calls`, `input_tokens`, `images`, …
    QuantityName: id, 64;
    /// What a subject subscribes to: `free`, `pro`, …
    PlanId: id, 64;
    /// A limit of a plan: `gemini_calls`, `monthly_cost`, …
    QuotaName: id, 64;
    /// What a plan includes besides quotas: `white_label`, …
    FeatureId: id, 64;
    /// Which of the caller's own endpoints a call came through.
    EndpointName: plain, 512;
    /// The caller's own name for an event, unique within its subject.
    EventKey: plain, 200;
}
