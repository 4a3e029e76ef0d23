//! What a run came to, for people and for programs.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::latency::Latency;
use super::tally::Tally;

pub struct Report {
    /// How many calls the trace has.
    pub rows: u64,
    pub elapsed: Duration,
    pub tally: Tally,
}

impl Report {
    pub fn to_json(&self) -> Value {
        let tally = &self.tally;
        let refusals = tally.refusals.iter().map(|((plan, denied), calls)| {
            json!({ "plan": plan, "reason": denied.reason, "quota": denied.quota, "calls": calls })
        });
        json!({
            "rows": self.rows,
            "calls": tally.calls(),
            "settled": tally.settled,
            "refused": tally.refused_calls(),
            "failed": tally.failed(),
            "unpriced": tally.unpriced,
            "input_tokens": tally.input_tokens,
            "output_tokens": tally.output_tokens,
            "cost": tally.cost,
            "elapsed_ms": self.elapsed.as_millis() as u64,
            "calls_per_second": self.per_second(tally.calls()),
            "requests_per_second": self.per_second(self.requests()),
            "latency": { "reserve": tally.reserve.to_json(), "settle": tally.settle.to_json() },
            "refusals": refusals.collect::<Vec<_>>(),
            "failures": tally.failures,
        })
    }

    fn requests(&self) -> u64 {
        self.tally.reserve.count() + self.tally.settle.count()
    }

    fn per_second(&self, count: u64) -> u64 {
        let micros = self.elapsed.as_micros().max(1);
        u64::try_from(u128::from(count) * 1_000_000 / micros).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = &self.tally;
        writeln!(f, "{} of {} calls in {:.3?}", tally.calls(), self.rows, self.elapsed)?;
        let (calls, requests) = (self.per_second(tally.calls()), self.per_second(self.requests()));
        writeln!(f, "{:<10}{calls} calls/s, {requests} requests/s", "rate")?;
        writeln!(f, "{:<10}{}", "settled", tally.settled)?;
        writeln!(f, "{:<10}{}", "refused", tally.refused_calls())?;
        writeln!(f, "{:<10}{}", "failed", tally.failed())?;
        writeln!(f, "{:<10}{} in, {} out", "tokens", tally.input_tokens, tally.output_tokens)?;
        writeln!(f, "{:<10}{} USD, {} calls unpriced", "cost", tally.cost, tally.unpriced)?;
        writeln!(f, "\n{}", Latency::heading())?;
        writeln!(f, "{}", tally.reserve.line("reserve"))?;
        writeln!(f, "{}", tally.settle.line("settle"))?;
        if !tally.refusals.is_empty() {
            writeln!(f, "\n{:<12}{:<22}{:<20}{:>10}", "refused", "reason", "quota", "calls")?;
        }
        for ((plan, denied), calls) in &tally.refusals {
            let quota = denied.quota.as_deref().unwrap_or_default();
            writeln!(f, "{plan:<12}{:<22}{quota:<20}{calls:>10}", denied.reason)?;
        }
        if !tally.failures.is_empty() {
            writeln!(f, "\n{:<64}{:>10}", "failed", "calls")?;
        }
        for (failure, calls) in &tally.failures {
            writeln!(f, "{failure:<64}{calls:>10}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::super::client::Denied;
    use super::super::deal::Deal;
    use super::*;

    fn report() -> Report {
        let cost = "0.0003125".parse().unwrap();
        let mut tally = Tally { settled: 2, cost, ..Tally::default() };
        let denied = Denied { reason: "quota_exceeded".into(), quota: Some("gemini_calls".into()) };
        tally.refused(Deal::new(NonZeroUsize::MIN).row(0), denied);
        tally.reserve.record(Duration::from_micros(1500));
        Report { rows: 3, elapsed: Duration::from_millis(1500), tally }
    }

    #[test]
    fn programs_get_the_exact_cost_and_every_refusal() {
        let json = report().to_json();
        assert_eq!(json["cost"], "0.0003125");
        assert_eq!((&json["calls"], &json["calls_per_second"]), (&json!(3), &json!(2)));
        assert_eq!(
            json["refusals"],
            json!([{ "plan": "free", "reason": "quota_exceeded", "quota": "gemini_calls", "calls": 1 }])
        );
        assert_eq!(json["latency"]["reserve"]["p50_us"], 1500);
    }

    #[test]
    fn people_get_the_same() {
        let text = report().to_string();
        for part in ["3 of 3 calls in 1.500s", "2 calls/s", "0.0003125 USD", "gemini_calls"] {
            assert!(text.contains(part), "{part} is missing from\n{text}");
        }
    }
}
