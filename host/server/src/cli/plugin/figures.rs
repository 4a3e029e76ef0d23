//! Figures as people read them.

use std::time::Duration;

/// `1234567` as `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in MiB, with one decimal.
pub fn mib(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10).div_ceil(1 << 20);
    format!("{}.{} MiB", thousands(tenths / 10), tenths % 10)
}

/// A time in microseconds, with one decimal.
pub fn micros(time: Duration) -> String {
    let tenths = time.as_nanos() / 100;
    let whole = u64::try_from(tenths / 10).unwrap_or(u64::MAX);
    format!("{}.{} µs", thousands(whole), tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_and_have_units() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(mib(16 << 20), "16.0 MiB");
        assert_eq!(mib((1 << 20) + 1), "1.1 MiB");
        assert_eq!(micros(Duration::from_nanos(1_234_567)), "1,234.5 µs");
    }
}
