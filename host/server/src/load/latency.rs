//! How long answers took.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// The percentiles that are reported, with their names.
const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// What is slower counts as this; a call that takes as long has failed anyway.
const LATENCY_MAX: Duration = Duration::from_secs(3600);

/// Latencies in microseconds, to three digits.
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    #[expect(clippy::expect_used, reason = "the bounds are constants")]
    fn default() -> Self {
        let (max, digits) = (LATENCY_MAX.as_micros() as u64, 3);
        Self(Histogram::new_with_max(max, digits).expect("the bounds are those of the library"))
    }
}

impl Latency {
    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros);
    }

    pub fn merge(&mut self, other: &Self) {
        self.0 += &other.0;
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    pub fn to_json(&self) -> Value {
        QUANTILES
            .iter()
            .map(|(name, quantile)| (format!("{name}_us"), json!(self.micros(*quantile))))
            .collect()
    }

    /// A line of a table, under [`Latency::heading`].
    pub fn line(&self, name: &str) -> String {
        let cells = QUANTILES.iter().map(|(_, quantile)| {
            let micros = self.micros(*quantile);
            format!("{:>7}.{:03} ms", micros / 1000, micros % 1000)
        });
        format!("{name:<10}{}", cells.collect::<String>())
    }

    pub fn heading() -> String {
        let cells = QUANTILES.iter().map(|(name, _)| format!("{name:>14}"));
        format!("{:<10}{}", "latency", cells.collect::<String>())
    }

    fn micros(&self, quantile: f64) -> u64 {
        self.0.value_at_quantile(quantile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_from_microseconds_to_minutes_keep_three_digits() {
        for micros in [2, 999, 40_000, 3_210_000, 600_000_000] {
            let (mut one, mut all) = (Latency::default(), Latency::default());
            one.record(Duration::from_micros(micros));
            all.merge(&one);
            assert_eq!(all.count(), 1);
            let reported = all.to_json()["p99.9_us"].as_u64().unwrap();
            assert!(reported.abs_diff(micros) <= micros / 1000, "{reported} for {micros}");
        }
    }
}
