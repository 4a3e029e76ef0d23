//! Exact numbers.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

/// A coefficient has 96 bits in the contract.
const COEFFICIENT_MAX: u128 = (1 << 96) - 1;
const SCALE_MAX: u8 = 28;

/// An exact decimal number: up to 28 digits, up to 28 of them after the point.
///
/// Its arithmetic gives the exact result or [`Inexact`], and never rounds. It compares by value:
/// `1.0` equals `1.00`. In a configuration, write it as a string (`"0.125"`) or as a number; a
/// number is taken with the digits that the operator wrote.
///
/// ```
/// use tollgate_plugin::Decimal;
///
/// let rate: Decimal = "0.125".parse()?;
/// let price = rate.shifted_right(6)?.times(Decimal::from(1000_u32))?;
/// assert_eq!(price.to_string(), "0.000125");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default)]
pub struct Decimal {
    // The fields of the contract's record, by name: the bindings read and write them.
    pub(crate) low: u32,
    pub(crate) middle: u32,
    pub(crate) high: u32,
    pub(crate) scale: u8,
    pub(crate) negative: bool,
}

/// The exact result does not fit into a [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inexact;

/// The text is not a decimal number that fits into a [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotADecimal;

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { low: 0, middle: 0, high: 0, scale: 0, negative: false };

    /// The sum.
    pub fn plus(self, other: Self) -> Result<Self, Inexact> {
        if self.is_zero() {
            return Ok(other);
        }
        if other.is_zero() {
            return Ok(self);
        }
        if let Some(sum) = self.plus_in_words(other) {
            return Ok(sum);
        }
        // Without its trailing zeros, the finer number decides the scale of the exact sum, so
        // that what overflows below has no shorter form.
        let (coarse, fine) = if self.scale < other.scale { (self, other) } else { (other, self) };
        let (mut fine_coefficient, mut scale) = (fine.coefficient(), fine.scale);
        while scale > coarse.scale && fine_coefficient.is_multiple_of(10) {
            (fine_coefficient, scale) = (fine_coefficient / 10, scale - 1);
        }
        let coarse_coefficient = power_of_ten(scale - coarse.scale)
            .and_then(|power| coarse.coefficient().checked_mul(power))
            .ok_or(Inexact)?;
        let (coefficient, negative) = if coarse.negative == fine.negative {
            (coarse_coefficient.checked_add(fine_coefficient).ok_or(Inexact)?, fine.negative)
        } else if coarse_coefficient >= fine_coefficient {
            (coarse_coefficient - fine_coefficient, coarse.negative)
        } else {
            (fine_coefficient - coarse_coefficient, fine.negative)
        };
        Self::new(coefficient, scale, negative)
    }

    /// The difference.
    pub fn minus(self, other: Self) -> Result<Self, Inexact> {
        self.plus(Self { negative: !other.negative && !other.is_zero(), ..other })
    }

    /// The product.
    pub fn times(self, other: Self) -> Result<Self, Inexact> {
        let negative = self.negative != other.negative;
        let scale = self.scale + other.scale;
        if let (Some(left), Some(right)) = (self.word(), other.word())
            && let Some(product) = left.checked_mul(right)
            && scale <= SCALE_MAX
        {
            return Ok(Self::of_word(product, scale, negative));
        }
        let (mut left, mut right) = (self.coefficient(), other.coefficient());
        if let Some(product) = left.checked_mul(right)
            && let Ok(product) = Self::new(product, scale, negative)
        {
            return Ok(product);
        }
        // Tens that come from a two on one side and a five on the other leave before they
        // multiply, so that what overflows now has no shorter form.
        let mut scale = scale;
        for (two, five) in [(2, 5), (5, 2), (10, 1), (1, 10)] {
            while scale > 0 && left.is_multiple_of(two) && right.is_multiple_of(five) {
                (left, right, scale) = (left / two, right / five, scale - 1);
            }
        }
        Self::new(left.checked_mul(right).ok_or(Inexact)?, scale, negative)
    }

    /// This number divided by ten to the power of `digits`.
    pub fn shifted_right(self, digits: u8) -> Result<Self, Inexact> {
        let scale = self.scale.checked_add(digits).ok_or(Inexact)?;
        Self::new(self.coefficient(), scale, self.negative)
    }

    /// Whether this is at least `percent` percent of `whole`. Exact for all numbers that are not
    /// negative.
    pub fn reaches_percent(self, percent: u32, whole: Self) -> bool {
        // 32 bits times 96 bits always fit.
        let part = self.coefficient() * 100;
        let threshold = whole.coefficient() * u128::from(percent);
        compare((part, self.scale), (threshold, whole.scale)).is_ge()
    }

    /// Whether this is zero.
    pub fn is_zero(self) -> bool {
        (self.low, self.middle, self.high) == (0, 0, 0)
    }

    /// Whether this is less than zero.
    pub fn is_negative(self) -> bool {
        self.negative && !self.is_zero()
    }

    /// How many digits this has after the point, without trailing zeros.
    pub fn decimals(self) -> u8 {
        self.without_trailing_zeros().1
    }

    /// This number, where it is a whole one that fits.
    pub fn to_u32(self) -> Option<u32> {
        let (coefficient, scale) = self.without_trailing_zeros();
        if scale > 0 || self.is_negative() { None } else { u32::try_from(coefficient).ok() }
    }

    /// Whether this has no digits after the point, apart from zeros.
    pub fn is_whole(self) -> bool {
        self.without_trailing_zeros().1 == 0
    }

    fn new(mut coefficient: u128, mut scale: u8, negative: bool) -> Result<Self, Inexact> {
        while scale > 0
            && (scale > SCALE_MAX || coefficient > COEFFICIENT_MAX)
            && coefficient.is_multiple_of(10)
        {
            (coefficient, scale) = (coefficient / 10, scale - 1);
        }
        if scale > SCALE_MAX || coefficient > COEFFICIENT_MAX {
            return Err(Inexact);
        }
        Ok(Self {
            low: coefficient as u32,
            middle: (coefficient >> 32) as u32,
            high: (coefficient >> 64) as u32,
            scale,
            negative: negative && coefficient != 0,
        })
    }

    /// The sum of two numbers of the same sign that need no more than 64 bits.
    fn plus_in_words(self, other: Self) -> Option<Self> {
        let (coarse, fine) = if self.scale < other.scale { (self, other) } else { (other, self) };
        let power = 10_u64.checked_pow(u32::from(fine.scale - coarse.scale))?;
        let sum = coarse.word()?.checked_mul(power)?.checked_add(fine.word()?)?;
        (coarse.negative == fine.negative).then(|| Self::of_word(sum, fine.scale, fine.negative))
    }

    fn of_word(coefficient: u64, scale: u8, negative: bool) -> Self {
        let (low, middle) = (coefficient as u32, (coefficient >> 32) as u32);
        Self { low, middle, high: 0, scale, negative: negative && coefficient != 0 }
    }

    /// The coefficient, where it has no more than 64 bits. A WebAssembly machine has no wider
    /// numbers: it takes many times as long to calculate with 128.
    fn word(self) -> Option<u64> {
        (self.high == 0).then(|| u64::from(self.middle) << 32 | u64::from(self.low))
    }

    fn coefficient(self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.middle) << 32 | u128::from(self.low)
    }

    fn without_trailing_zeros(self) -> (u128, u8) {
        let (mut coefficient, mut scale) = (self.coefficient(), self.scale);
        while scale > 0 && coefficient.is_multiple_of(10) {
            (coefficient, scale) = (coefficient / 10, scale - 1);
        }
        (coefficient, scale)
    }
}

/// Compares two coefficients, each with its scale.
fn compare(left: (u128, u8), right: (u128, u8)) -> Ordering {
    if left.1 > right.1 {
        return compare(right, left).reverse();
    }
    match power_of_ten(right.1 - left.1).and_then(|power| left.0.checked_mul(power)) {
        Some(coefficient) => coefficient.cmp(&right.0),
        // Larger than anything with 128 bits, unless it is no number at all.
        None if left.0 == 0 => 0.cmp(&right.0),
        None => Ordering::Greater,
    }
}

fn power_of_ten(digits: u8) -> Option<u128> {
    10_u128.checked_pow(u32::from(digits))
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let magnitudes =
            || compare((self.coefficient(), self.scale), (other.coefficient(), other.scale));
        match (self.is_negative(), other.is_negative()) {
            (false, false) => magnitudes(),
            (true, true) => magnitudes().reverse(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal {}

impl From<u32> for Decimal {
    fn from(whole: u32) -> Self {
        Self { low: whole, ..Self::ZERO }
    }
}

/// Reads `12.50`, `-3` and `1.5e-7`.
impl FromStr for Decimal {
    type Err = NotADecimal;

    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse().map_err(|_| NotADecimal)?),
            None => (text, 0_i32),
        };
        let (negative, number) = match number.strip_prefix('-') {
            Some(number) => (true, number),
            None => (false, number),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || fraction.is_empty() {
            return Err(NotADecimal);
        }
        let fraction = fraction.trim_end_matches('0');
        let mut coefficient = 0_u128;
        for digit in whole.bytes().chain(fraction.bytes()) {
            if !digit.is_ascii_digit() {
                return Err(NotADecimal);
            }
            coefficient = coefficient
                .checked_mul(10)
                .and_then(|tens| tens.checked_add(u128::from(digit - b'0')))
                .ok_or(NotADecimal)?;
        }
        let scale = i32::try_from(fraction.len()).ok().and_then(|len| len.checked_sub(exponent));
        let (coefficient, scale) = match scale.ok_or(NotADecimal)? {
            scale if scale >= 0 => (coefficient, u8::try_from(scale).map_err(|_| NotADecimal)?),
            zeros => {
                let zeros = u8::try_from(-zeros).map_err(|_| NotADecimal)?;
                let power = power_of_ten(zeros).ok_or(NotADecimal)?;
                (coefficient.checked_mul(power).ok_or(NotADecimal)?, 0)
            }
        };
        Self::new(coefficient, scale, negative).map_err(|_| NotADecimal)
    }
}

/// Writes all digits, without an exponent and without trailing zeros.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (coefficient, scale) = self.without_trailing_zeros();
        let scale = usize::from(scale);
        let digits = format!("{coefficient:0width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let point = if scale > 0 { "." } else { "" };
        f.pad_integral(!self.is_negative(), "", &format!("{whole}{point}{fraction}"))
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Digits)
    }
}

/// Reads a decimal from a string, or from a number with the digits that it was written in.
struct Digits;

impl<'de> de::Visitor<'de> for Digits {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number, such as \"12.50\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        text.parse().map_err(|error| E::custom(format!("`{text}` {error}")))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Decimal, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Decimal, E> {
        self.visit_str(&number.to_string())
    }

    // The form in which serde_json hands over a number by its digits: no float is made of it.
    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Decimal, A::Error> {
        let number = de::value::MapAccessDeserializer::new(map);
        match serde_json::Value::deserialize(number)? {
            serde_json::Value::Number(number) => self.visit_str(number.as_str()),
            _ => Err(de::Error::custom("expected a decimal number, such as \"12.50\"")),
        }
    }
}

impl fmt::Display for Inexact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the exact result does not fit into 28 digits")
    }
}

impl fmt::Display for NotADecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is not a decimal number of at most 28 digits")
    }
}

impl std::error::Error for Inexact {}
impl std::error::Error for NotADecimal {}
