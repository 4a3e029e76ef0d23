//! The types of fields in requests that are narrower than JSON's own.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};
use serde_json::Value;
use tollgate_domain::{Amount, AmountError, Metadata, QuantityName, Usage, UsageError, Usd};
use utoipa::ToSchema;
use utoipa::openapi::Ref;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::openapi::schema::{described, either, map};
use super::problem::Problem;

const QUANTITIES_MAX: usize = 64;
const METADATA_MAX: usize = 16;

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug)]
pub struct Whole<const MIN: u64 = 0, const MAX: u64 = { u64::MAX }>(pub u64);

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Range<const MIN: u64, const MAX: u64>;
        impl<const MIN: u64, const MAX: u64> Visitor<'_> for Range<MIN, MAX> {
            type Value = u64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match MAX {
                    u64::MAX => write!(f, "a whole number of at least {MIN}"),
                    _ => write!(f, "a whole number from {MIN} to {MAX}"),
                }
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
                match (MIN..=MAX).contains(&number) {
                    true => Ok(number),
                    false => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
                }
            }
        }
        deserializer.deserialize_u64(Range::<MIN, MAX>).map(Self)
    }
}

described! {
    [const MIN: u64, const MAX: u64]
    Whole<MIN, MAX>,
    match MAX {
        u64::MAX => format!("WholeFrom{MIN}"),
        _ => format!("WholeFrom{MIN}To{MAX}"),
    },
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .description(Some("A whole number."))
        .minimum(Some(MIN))
        .maximum(Some(MAX))
        .build()
}

/// A text that is read as something narrower.
#[derive(Debug)]
pub struct Parsed<T>(pub T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// A text of at most `MAX` bytes.
#[derive(Debug)]
pub struct Text<const MAX: usize>(pub String);

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.len() > MAX {
            true => Err(D::Error::custom(format_args!("must not be longer than {MAX} bytes"))),
            false => Ok(Self(text)),
        }
    }
}

described! {
    [const MAX: usize]
    Text<MAX>,
    format!("TextTo{MAX}"),
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(format!("A text of at most {MAX} bytes.")))
        .max_length(Some(MAX))
        .build()
}

/// Quantities as stated; whether they agree is seen when they become a [`Usage`].
#[derive(Debug, Default)]
pub struct Quantities(Vec<(QuantityName, u64)>);

impl Quantities {
    pub fn into_usage(self) -> Result<Usage, UsageError> {
        Usage::new(self.0)
    }
}

impl<'de> Deserialize<'de> for Quantities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries =
            Entries::<QuantityName, Whole> { max: QUANTITIES_MAX, kind: Default::default() };
        let entries = deserializer.deserialize_map(entries)?;
        Ok(Self(entries.into_iter().map(|(name, amount)| (name, amount.0)).collect()))
    }
}

described! {
    [] Quantities, "Quantities", {
        let description = "How much was used of what. `calls` is 1 unless given. Totals contain \
                           their parts: `cache_read_tokens` and `cache_write_tokens` are part of \
                           `input_tokens`, `output_reasoning_tokens` of `output_tokens`.";
        let amount = Ref::from_schema_name(Whole::<0, { u64::MAX }>::name());
        map::<QuantityName>(description, amount, Some(QUANTITIES_MAX))
    };
    Whole
}

/// Changes of quantities, each more or less.
#[derive(Debug)]
pub struct Changes(pub Vec<(QuantityName, i64)>);

impl<'de> Deserialize<'de> for Changes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries =
            Entries::<QuantityName, i64> { max: QUANTITIES_MAX, kind: Default::default() };
        let mut changes = deserializer.deserialize_map(entries)?;
        changes.sort_unstable();
        match changes.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(D::Error::custom(UsageError::Twice(pair[0].0.clone()))),
            None => Ok(Self(changes)),
        }
    }
}

described! {
    [] Changes, "Changes", {
        let amount = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(i64::MIN))
            .maximum(Some(i64::MAX));
        let description = "By how much each quantity is more, or less, than was recorded.";
        map::<QuantityName>(description, amount.build(), Some(QUANTITIES_MAX))
    }
}

/// Short texts by short names.
#[derive(Debug, Default)]
pub struct ShortTexts(pub Metadata);

impl<'de> Deserialize<'de> for ShortTexts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries =
            Entries::<Text<64>, Text<256>> { max: METADATA_MAX, kind: Default::default() };
        let entries = deserializer.deserialize_map(entries)?;
        Ok(Self(entries.into_iter().map(|(name, text)| (name.0, text.0)).collect()))
    }
}

described! {
    [] ShortTexts, "Metadata", {
        let description = "At most 16 short texts, kept with the event.";
        map::<Text<64>>(description, Ref::from_schema_name(Text::<256>::name()), Some(METADATA_MAX))
    };
    Text<256>
}

/// Reads an object of a bounded number of entries.
struct Entries<K, V> {
    max: usize,
    kind: std::marker::PhantomData<(K, V)>,
}

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
    type Value = Vec<(K, V)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object of at most {} entries", self.max)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
            if entries.len() > self.max {
                return Err(A::Error::invalid_length(entries.len(), &self));
            }
        }
        Ok(entries)
    }
}

/// US dollars: a decimal string, or a number, whose digits are taken as they stand.
#[derive(Debug)]
pub struct Money(pub Usd);

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parsed = match Value::deserialize(deserializer)? {
            Value::String(text) => text.parse(),
            Value::Number(number) => plain_digits(number.as_str()).and_then(|text| text.parse()),
            _ => Err(AmountError::Malformed),
        };
        match parsed {
            Ok(usd) if usd < Usd::ZERO => Err(D::Error::custom("must not be negative")),
            Ok(usd) => Ok(Self(usd)),
            Err(error) => Err(D::Error::custom(error)),
        }
    }
}

described! {
    [] Money, "Money", {
        let digits = "^[0-9]+([.][0-9]+)?$";
        let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(digits));
        let number = ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0_u64));
        let description = "US dollars: a decimal in a text, or a number, of which every digit \
                           counts. At most 18 decimals.";
        either(description, text.build(), number.build())
    }
}

/// A length of time: a JSON number of seconds, as people and Python's clocks have it. Kept to the
/// millisecond.
#[derive(Debug)]
pub struct Seconds {
    pub millis: u64,
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let millis = millis(number.as_str());
        let wrong = || D::Error::custom("must be a number of seconds, and not negative");
        millis.map(|millis| Self { millis }).ok_or_else(wrong)
    }
}

described! {
    [] Seconds, "Seconds",
    ObjectBuilder::new()
        .schema_type(Type::Number)
        .minimum(Some(0_u64))
        .description(Some("A length of time, kept to the millisecond."))
        .build()
}

/// Half a millisecond is a whole one; what is finer than any clock does not matter.
fn millis(number: &str) -> Option<u64> {
    let digits = match plain_digits(number) {
        Ok(digits) => digits,
        Err(AmountError::TooFine) => "0.0".into(),
        Err(_) => return None,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, "0"));
    let fraction: String = fraction.chars().take(18).collect();
    let amount: Amount = format!("{whole}.{fraction}").parse().ok()?;
    let half: Amount = "0.0005".parse().ok()?;
    let attos = amount.checked_add(half).filter(|_| !amount.is_negative())?.attos();
    u64::try_from(attos / 10_i128.pow(15)).ok()
}

/// A number among a query's parameters: `default` where it is not given.
pub fn number(
    pointer: &str,
    text: Option<String>,
    default: u64,
    range: RangeInclusive<u64>,
) -> Result<u64, Problem> {
    let Some(text) = text else { return Ok(default) };
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        let (first, last) = range.into_inner();
        let bounds = match last {
            u64::MAX => format!("must be a whole number of at least {first}"),
            last => format!("must be a whole number from {first} to {last}"),
        };
        Problem::invalid(pointer, bounds)
    })
}

/// `true` or `false` among a query's parameters.
pub fn yes_or_no(pointer: &str, text: Option<String>, default: bool) -> Result<bool, Problem> {
    match text.as_deref() {
        None => Ok(default),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => Err(Problem::invalid(pointer, "must be `true` or `false`")),
    }
}

/// A JSON number without its exponent, which many languages write for small prices: `1.25e-05`
/// is `0.0000125`.
fn plain_digits(number: &str) -> Result<String, AmountError> {
    let Some((digits, exponent)) = number.split_once(['e', 'E']) else {
        return Ok(number.to_owned());
    };
    let exponent: i32 = exponent.parse().map_err(|_| AmountError::TooLarge)?;
    let (sign, digits) = digits.split_at(usize::from(digits.starts_with('-')));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    // No amount needs more, and nobody makes us write a million zeros.
    let shift = match exponent {
        -40..=40 => exponent.unsigned_abs() as usize,
        ..-40 => return Err(AmountError::TooFine),
        _ => return Err(AmountError::TooLarge),
    };
    let zeros = "0".repeat(shift);
    let (whole, fraction) = match exponent < 0 {
        true => {
            let digits = format!("{zeros}{whole}");
            let (whole, moved) = digits.split_at(digits.len() - shift);
            (format!("0{whole}"), format!("{moved}{fraction}"))
        }
        false => {
            let digits = format!("{fraction}{zeros}");
            let (moved, fraction) = digits.split_at(shift);
            (format!("{whole}{moved}"), fraction.to_owned())
        }
    };
    Ok(format!("{sign}{whole}.{fraction}0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(json: &str) -> Result<String, String> {
        let money = serde_json::from_str::<Money>(json);
        money.map(|money| money.0.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn money_is_read_from_text_and_from_a_numbers_own_digits() {
        for (json, usd) in [
            ("\"0.0003125\"", "0.0003125"),
            ("0.1", "0.1"),
            ("12345678901234567.12345678", "12345678901234567.12345678"),
            ("1.25e-05", "0.0000125"),
            ("125e-7", "0.0000125"),
            ("1.5E+3", "1500"),
            ("1.2345e2", "123.45"),
            ("0e0", "0"),
        ] {
            assert_eq!(money(json).as_deref(), Ok(usd), "{json}");
        }
        for wrong in ["-1", "\"1e5\"", "1e99999999999", "1e-60", "null", "[]", "1e-19"] {
            assert!(money(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn seconds_are_kept_to_the_millisecond() {
        for (json, millis) in [
            ("2.5", Some(2500)),
            ("0", Some(0)),
            ("0.0004", Some(0)),
            ("0.0005", Some(1)),
            ("2.384185791015625e-06", Some(0)),
            ("1e-60", Some(0)),
            ("1.0000000000000000000000001", Some(1000)),
            ("-0.1", None),
            ("1e30", None),
            ("\"1\"", None),
        ] {
            let found = serde_json::from_str::<Seconds>(json).ok().map(|seconds| seconds.millis);
            assert_eq!(found, millis, "{json}");
        }
    }

    #[test]
    fn numbers_outside_their_range_are_told_the_range() {
        let error = serde_json::from_str::<Whole<1, 31>>("32").unwrap_err().to_string();
        assert!(error.contains("expected a whole number from 1 to 31"), "{error}");
        for wrong in ["-1", "1.5", "\"1\"", "18446744073709551616"] {
            let error = serde_json::from_str::<Whole>(wrong).unwrap_err().to_string();
            assert!(error.contains("expected a whole number of at least 0"), "{error}");
        }
    }

    #[test]
    fn there_is_a_bound_on_everything() {
        let many: Vec<_> = (0..17).map(|i| format!("\"k{i}\":\"v\"")).collect();
        let json = format!("{{{}}}", many.join(","));
        assert!(serde_json::from_str::<ShortTexts>(&json).is_err());
        let long = format!("{{\"k\":\"{}\"}}", "v".repeat(257));
        assert!(serde_json::from_str::<ShortTexts>(&long).is_err());
    }
}
