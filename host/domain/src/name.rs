//! Names that come from outside: checked once, cheap to copy.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use compact_str::CompactString;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::schema;

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
    // Texts are mostly ASCII, where a look at the bytes does.
    let has_control = |text: &str| match text.is_ascii() {
        true => text.bytes().any(|byte| byte.is_ascii_control()),
        false => text.chars().any(char::is_control),
    };
    match text {
        "" => Err(NameError::Empty),
        _ if text.len() > max => Err(NameError::TooLong(max)),
        _ if has_control(text) => Err(NameError::Control),
        _ => Ok(()),
    }
}

/// A lower-case identifier of 1 to `max` bytes.
fn id(text: &str, max: usize) -> Result<(), NameError> {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    match text.bytes().all(allowed) {
        true if !text.is_empty() && text.len() <= max => Ok(()),
        _ => plain(text, max).and(Err(NameError::NotAnId)),
    }
}

/// Reads a name in place: most requests have several.
pub(crate) fn parsed<'de, T: FromStr<Err = NameError>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    struct Parse<T>(PhantomData<T>);
    impl<T: FromStr<Err = NameError>> Visitor<'_> for Parse<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Parse(PhantomData))
}

macro_rules! names {
    ($($(#[doc = $doc:literal])* $name:ident: $check:ident, $max:literal, $example:literal;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(CompactString);

        impl $name {
            #[inline]
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
                parsed(deserializer)
            }
        }

        schema::described! {
            $name as stringify!($name);
            schema::$check(concat!($($doc),*).trim(), $max, $example)
        }
    )*};
}

names! {
    /// Who serves a call: `gemini`, `openai`, …
    ProviderId: id, 64, "gemini";
    /// Which of a provider's models serves a call, as the provider spells it.
    ModelId: plain, 200, "gemini-2.5-flash";
    /// What is measured: `calls`, `input_tokens`, `images`, …
    QuantityName: id, 64, "input_tokens";
    /// What a subject subscribes to: `free`, `pro`, …
    PlanId: id, 64, "pro";
    /// A limit of a plan: `gemini_calls`, `monthly_cost`, …
    QuotaName: id, 64, "gemini_calls";
    /// What a plan includes besides quotas: `white_label`, …
    FeatureId: id, 64, "white_label";
    /// Which of the caller's own endpoints a call came through.
    EndpointName: plain, 512, "/api/generate";
    /// The caller's own name for an event, unique within its subject.
    EventKey: plain, 200, "order-7";
}
