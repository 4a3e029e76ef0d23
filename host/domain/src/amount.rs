//! Exact numbers: fixed point with 18 decimals in an `i128`.
//!
//! `rust_decimal` rounds silently past 28 digits; here a digit that does not fit is an error,
//! as an overflow is. 18 decimals hold a millionth of the cheapest known token price, and leave
//! 1.7 × 10²⁰ for the whole part: any token counter, any bill.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::schema;

const DECIMALS: u32 = 18;
const ONE: i128 = 10_i128.pow(DECIMALS);

/// The longest text: a sign, 21 digits, a point and 18 more.
const TEXT_BYTES_MAX: usize = 41;

/// An exact amount of anything a quota can limit: calls, tokens, US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

/// Why a number is not an [`Amount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("is not a decimal number such as \"12.50\"")]
    Malformed,
    #[error("has more than 18 decimals")]
    TooFine,
    #[error("is too large")]
    TooLarge,
}

impl Amount {
    pub const ZERO: Self = Self(0);

    /// The sum, or `None` where it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` where it does not fit.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The sum, held at the largest amount. For comparing with limits only: what is too large
    /// to add up is over any limit.
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, or zero where `other` is larger.
    pub fn minus_or_zero(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }

    /// This amount and `percent` of it, rounded down to the 18th decimal.
    pub fn plus_percent(self, percent: u32) -> Self {
        // Whole and fraction apart: the product of a large amount with 100 would not fit.
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        let percent = i128::from(percent);
        let extra = whole.saturating_mul(percent) + rest * percent / 100;
        Self(self.0.saturating_add(extra))
    }

    /// Whether it is less than `percent` of another; no where either is too large to tell.
    pub fn is_below_percent(self, percent: u32, of: Self) -> bool {
        let (this, share) = (self.0.checked_mul(100), of.0.checked_mul(percent.into()));
        this.zip(share).is_some_and(|(this, share)| this < share)
    }

    /// Without its decimals.
    pub const fn whole(self) -> i128 {
        self.0 / ONE
    }

    /// How many of its 18th decimal: exact, for what needs the number itself.
    pub const fn attos(self) -> i128 {
        self.0
    }

    /// `digits` divided by 10^`scale`.
    pub fn with_scale(digits: i128, scale: u32) -> Result<Self, AmountError> {
        let missing = DECIMALS.checked_sub(scale).ok_or(AmountError::TooFine)?;
        // Up to 10^18 fits in 64 bits, whose powers are cheaper.
        let factor = i128::from(10_u64.pow(missing));
        digits.checked_mul(factor).map(Self).ok_or(AmountError::TooLarge)
    }

    /// The whole number that this is, if it is one and can be counted.
    pub fn to_count(self) -> Option<u64> {
        let whole = u64::try_from(self.0 / ONE).ok()?;
        (i128::from(whole) * ONE == self.0).then_some(whole)
    }

    /// So many times this; `None` where it does not fit.
    pub fn checked_times(self, count: u64) -> Option<Self> {
        self.0.checked_mul(i128::from(count)).map(Self)
    }

    /// Plain digits, in `buffer`: every answer prints a few amounts.
    fn text(self, buffer: &mut [u8; TEXT_BYTES_MAX]) -> &str {
        let (digits, one) = (self.0.unsigned_abs(), ONE.unsigned_abs());
        let mut whole = digits / one;
        // Below 10^18: in 64 bits, whose divisions are many times cheaper.
        let mut fraction = u64::try_from(digits - whole * one).unwrap_or_default();
        let mut start = buffer.len();
        let mut push = |byte| {
            start -= 1;
            buffer[start] = byte;
        };
        let mut decimals = if fraction == 0 { 0 } else { DECIMALS };
        while decimals > 0 && fraction % 10 == 0 {
            fraction /= 10;
            decimals -= 1;
        }
        if decimals > 0 {
            for _ in 0..decimals {
                push(digit(fraction));
                fraction /= 10;
            }
            push(b'.');
        }
        while whole > u128::from(u64::MAX) {
            push(digit((whole % 10) as u64));
            whole /= 10;
        }
        let mut whole = u64::try_from(whole).unwrap_or_default();
        loop {
            push(digit(whole));
            whole /= 10;
            if whole == 0 {
                break;
            }
        }
        if self.0 < 0 {
            push(b'-');
        }
        std::str::from_utf8(&buffer[start..]).unwrap_or_default()
    }

    pub fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The number as a `Decimal`, for the edges; `None` where its 96 bits are too few.
    pub fn to_decimal(self) -> Option<Decimal> {
        let (whole, rest) = (self.0 / ONE, (self.0 % ONE).unsigned_abs());
        if rest == 0 {
            return Decimal::try_from_i128_with_scale(whole, 0).ok();
        }
        // Every decision does this for every quota. The fraction fits in 64 bits, whose divisions
        // are many times cheaper than those of 128.
        let (mut fraction, mut zeros) = (u64::try_from(rest).ok()?, 0);
        while fraction % 10 == 0 {
            fraction /= 10;
            zeros += 1;
        }
        let digits = self.0 / 10_i128.pow(zeros);
        Decimal::try_from_i128_with_scale(digits, DECIMALS - zeros).ok()
    }

    /// The same where digits that 96 bits have no room for do not matter: an estimate, a
    /// percentage.
    pub fn to_decimal_rounded(self) -> Decimal {
        self.to_string().parse().unwrap_or(Decimal::MAX)
    }
}

impl From<u64> for Amount {
    fn from(whole: u64) -> Self {
        Self(i128::from(whole) * ONE)
    }
}

impl TryFrom<Decimal> for Amount {
    type Error = AmountError;

    fn try_from(decimal: Decimal) -> Result<Self, AmountError> {
        let decimal = if decimal.scale() > DECIMALS { decimal.normalize() } else { decimal };
        Self::with_scale(decimal.mantissa(), decimal.scale())
    }
}

/// Plain digits: no exponent, no trailing zeros, no sign on zero.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; TEXT_BYTES_MAX]))
    }
}

/// The last digit of a number.
fn digit(number: u64) -> u8 {
    b'0' + (number % 10) as u8
}

/// Reads plain digits: an optional sign, digits, and an optional fraction. No exponent.
impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        let plain = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(fraction) {
            return Err(AmountError::Malformed);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > DECIMALS as usize {
            return Err(AmountError::TooFine);
        }
        let whole: i128 = whole.parse().map_err(|_| AmountError::TooLarge)?;
        let fraction: i128 =
            format!("{fraction:0<18}").parse().map_err(|_| AmountError::Malformed)?;
        let digits = whole
            .checked_mul(ONE)
            .and_then(|w| w.checked_add(fraction))
            .ok_or(AmountError::TooLarge)?;
        Ok(Self(if negative { -digits } else { digits }))
    }
}

/// A string where people read it (`"0.0003125"`), the bare integer in storage.
impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(self.text(&mut [0; TEXT_BYTES_MAX]))
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            i128::deserialize(deserializer).map(Self)
        }
    }
}

/// An exact amount of US dollars.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Usd(pub Amount);

impl Usd {
    pub const ZERO: Self = Self(Amount::ZERO);

    /// The sum, or `None` where it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` where it does not fit.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Whole cents, half to even; `None` where that does not fit.
    pub fn to_cents(self) -> Option<Self> {
        const CENT: i128 = ONE / 100;
        let (cents, rest) = (self.0.0.div_euclid(CENT), self.0.0.rem_euclid(CENT));
        let up = rest * 2 > CENT || (rest * 2 == CENT && cents % 2 != 0);
        (cents + i128::from(up)).checked_mul(CENT).map(Amount).map(Self)
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Usd {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        text.parse().map(Self)
    }
}

const DIGITS: &str = "^-?[0-9]+([.][0-9]{1,18})?$";

schema::described! {
    Amount as "Amount";
    schema::text("A decimal, exact: no exponent, no trailing zeros.", DIGITS, "5000").build()
}

schema::described! {
    Usd as "Usd";
    schema::text("US dollars, exact: no exponent, no trailing zeros.", DIGITS, "0.0003125").build()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    #[test]
    fn prints_without_exponent_or_trailing_zeros() {
        for (given, printed) in [
            ("0.000312500", "0.0003125"),
            ("15.75", "15.75"),
            ("-0", "0"),
            ("007", "7"),
            ("-1.10", "-1.1"),
            ("18446744073709551616.5", "18446744073709551616.5"),
            (
                "-170141183460469231731.687303715884105727",
                "-170141183460469231731.687303715884105727",
            ),
            ("0.000000000000000001", "0.000000000000000001"),
        ] {
            assert_eq!(amount(given).to_string(), printed);
        }
    }

    #[test]
    fn refuses_what_it_cannot_hold_exactly() {
        for (text, error) in [
            ("0.0000000000000000001", AmountError::TooFine),
            ("170141183460469231732", AmountError::TooLarge),
            ("1e5", AmountError::Malformed),
            (".5", AmountError::Malformed),
            ("5.", AmountError::Malformed),
            ("+5", AmountError::Malformed),
            ("", AmountError::Malformed),
        ] {
            assert_eq!(text.parse::<Amount>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn an_overflow_is_an_error_and_never_wraps() {
        let most = amount("170141183460469231731");
        assert_eq!(most.checked_add(most), None);
        assert!(most.saturating_add(most) > most);
        assert_eq!(most.plus_percent(100), most.saturating_add(most));
    }

    #[test]
    fn cents_are_rounded_half_to_even() {
        for (exact, cents) in [
            ("0.004999", "0"),
            ("0.005", "0"),
            ("0.005000000000000001", "0.01"),
            ("0.015", "0.02"),
            ("0.025", "0.02"),
            ("-0.005", "0"),
            ("-0.015", "-0.02"),
            ("-0.016", "-0.02"),
            ("12.34", "12.34"),
        ] {
            assert_eq!(Usd(amount(exact)).to_cents(), Some(Usd(amount(cents))), "{exact}");
        }
    }

    #[test]
    fn only_whole_amounts_count() {
        assert_eq!(amount("18446744073709551615").to_count(), Some(u64::MAX));
        for text in ["1.5", "-1", "18446744073709551616"] {
            assert_eq!(amount(text).to_count(), None, "{text}");
        }
        assert_eq!(amount("0.0000003").checked_times(1500), Some(amount("0.00045")));
        assert_eq!(amount("9000000000").checked_times(u64::MAX), None);
    }

    #[test]
    fn percent_is_of_the_whole_amount() {
        assert_eq!(amount("250").plus_percent(10), amount("275"));
        assert_eq!(amount("0.05").plus_percent(50), amount("0.075"));
        assert!(amount("159.999999999999999999").is_below_percent(80, amount("200")));
        assert!(!amount("160").is_below_percent(80, amount("200")));
        assert!(!amount("0").is_below_percent(0, amount("200")));
        assert!(!amount("0").is_below_percent(u32::MAX, amount("100000000000000000000")));
        assert_eq!((amount("17.9").whole(), amount("0.999").whole()), (17, 0));
    }

    proptest! {
        #[test]
        fn every_amount_survives_text_decimal_and_serde(digits in any::<i64>(), scale in 0_u32..=18) {
            let decimal = Decimal::new(digits, scale);
            let amount = Amount::try_from(decimal).unwrap();
            prop_assert_eq!(amount.to_decimal().unwrap(), decimal);
            prop_assert_eq!(amount.to_string().parse::<Amount>().unwrap(), amount);
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
        }

        #[test]
        fn addition_loses_no_digit(a in any::<i64>(), b in any::<i64>()) {
            let (x, y) = (Amount(i128::from(a)), Amount(i128::from(b)));
            prop_assert_eq!(x.checked_add(y).unwrap().checked_sub(y).unwrap(), x);
        }
    }
}
