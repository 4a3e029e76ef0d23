//! A decimal is exact or it is an error.

use proptest::prelude::*;
use tollgate_plugin::{Decimal, Inexact};

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap_or_else(|error| panic!("{text} {error}"))
}

/// The largest coefficient there is, 2⁹⁶ - 1.
const MAX: &str = "79228162514264337593543950335";

#[test]
fn a_lost_digit_is_an_error() {
    let fine = decimal("7.0000000000000000000000000001");
    assert_eq!(fine.plus(decimal("5")), Err(Inexact));
    assert_eq!(decimal("0.0000000000000000000000000001").times(decimal("0.1")), Err(Inexact));
    assert_eq!(decimal(MAX).plus(decimal("1")), Err(Inexact));
    assert_eq!(decimal(MAX).plus(decimal("0.1")), Err(Inexact));
    assert_eq!(decimal(MAX).times(decimal("10")), Err(Inexact));
    assert_eq!(decimal("1").shifted_right(29), Err(Inexact));
}

#[test]
fn a_result_that_fits_is_found_however_it_is_written() {
    assert_eq!(decimal("1e-20").times(decimal("1e20")), Ok(decimal("1")));
    assert_eq!(decimal(MAX).times(decimal("1.0")), Ok(decimal(MAX)));
    assert_eq!(decimal(MAX).minus(decimal(MAX)), Ok(Decimal::ZERO));
    let (twos, fives) = (decimal("1208925819614629.174706176"), decimal("931322.574615478515625"));
    assert_eq!(twos.times(fives).map(|it| it.to_string()).as_deref(), Ok("1125899906842624000000"));
}

#[test]
fn a_percentage_is_exact_at_its_boundary() {
    assert!(decimal("80").reaches_percent(80, decimal("100")));
    assert!(!decimal("79.9999999999999999999999999").reaches_percent(80, decimal("100")));
    assert!(decimal(MAX).reaches_percent(100, decimal(MAX)));
    assert!(!decimal("0.0000000000000000000000000001").reaches_percent(1, decimal(MAX)));
}

#[test]
fn it_is_written_plainly_and_read_as_written() {
    for (read, written) in [
        ("0.125", "0.125"),
        ("10.00", "10"),
        ("-0.50", "-0.5"),
        ("-0", "0"),
        ("7.5e-7", "0.00000075"),
        ("1.5E+3", "1500"),
        (MAX, MAX),
    ] {
        assert_eq!(decimal(read).to_string(), written);
    }
    for wrong in
        ["", "-", ".5", "5.", "1,5", "1e", "+1", "1e99", "NaN", "79228162514264337593543950336"]
    {
        assert!(wrong.parse::<Decimal>().is_err(), "{wrong} is no decimal");
    }
}

#[test]
fn json_strings_and_numbers_keep_their_digits() {
    let both: [Decimal; 2] =
        serde_json::from_str(r#"["0.1000000000000000055511151231", 0.1]"#).expect("two decimals");
    assert_eq!(both, [decimal("0.1000000000000000055511151231"), decimal("0.1")]);
}

/// Numbers whose sums and products are exact in an `i128` of 18 decimals.
fn small() -> impl Strategy<Value = (i128, u32, Decimal)> {
    (-1_000_000_000_i64..1_000_000_000, 0_u32..=9).prop_map(|(coefficient, scale)| {
        (i128::from(coefficient), scale, decimal(&format!("{coefficient}e-{scale}")))
    })
}

fn at_18_decimals(coefficient: i128, scale: u32) -> i128 {
    coefficient * 10_i128.pow(18 - scale)
}

fn from_18_decimals(units: i128) -> Decimal {
    decimal(&format!("{units}e-18"))
}

proptest! {
    #[test]
    fn arithmetic_agrees_with_whole_numbers((a, i, left) in small(), (b, j, right) in small()) {
        let (x, y) = (at_18_decimals(a, i), at_18_decimals(b, j));
        prop_assert_eq!(left.plus(right), Ok(from_18_decimals(x + y)));
        prop_assert_eq!(left.minus(right), Ok(from_18_decimals(x - y)));
        prop_assert_eq!(left.times(right), Ok(from_18_decimals(at_18_decimals(a * b, i + j))));
        prop_assert_eq!(left.cmp(&right), x.cmp(&y));
    }
}
