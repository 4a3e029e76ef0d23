//! Money without floats or the service's own arithmetic.

/// An exact amount in billionths of a dollar, as the service prints it: no trailing zeros.
pub fn usd(nanos: u64) -> String {
    let (whole, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let text = format!("{whole}.{fraction:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
