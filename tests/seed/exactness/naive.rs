//! What the answers should come to, from the price list as it is written down; shared with no code
//! of the service. Money is in billionths of a dollar.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::usd;

/// The months that are used, the one that runs last.
pub const PERIODS: [&str; 3] = ["2026-08", "2026-09", "2026-10"];

/// A day in each, before now.
const DAYS: [&str; 3] = ["2026-08-31T23:59:59Z", "2026-09-01T00:00:00Z", "2026-10-15T06:00:00Z"];

/// The month that runs, by position.
const RUNNING: usize = 2;

/// Provider, model, and the price of a token in and out.
const MODELS: [(&str, &str, u64, u64); 4] = [
    ("gemini", "gemini-2.5-flash", 125, 375),
    ("gemini", "gemini-2.5-pro", 1_250, 10_000),
    ("openai", "gpt-4o", 2_500, 10_000),
    ("anthropic", "claude-sonnet-4-5", 3_000, 15_000),
];

/// A call as its caller tells of it.
#[derive(Clone)]
pub struct Call {
    id: String,
    model: usize,
    period: usize,
    input: u64,
    output: u64,
    /// The caller's word on the cost.
    own_nanos: Option<u64>,
    failed: bool,
    response_time_ms: Option<u64>,
}

/// What a caller does.
pub enum Deed {
    Record {
        call: Call,
    },
    /// Holds, and settles with other numbers; always in the month that runs.
    Settle {
        call: Call,
    },
    Release,
    Refused,
    /// Records, and then says that it was so many tokens instead.
    Correct {
        id: String,
        call: Call,
        input: u64,
        output: u64,
    },
}

/// The deeds of one caller: the same for the same seed.
pub fn deeds(seed: u64, count: usize) -> Vec<Deed> {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
    (0..count).map(|at| deed(&mut dice, format!("{seed}-{at}"))).collect()
}

fn deed(dice: &mut Dice, id: String) -> Deed {
    let call = Call {
        id: id.clone(),
        model: dice.below(4) as usize,
        period: dice.below(3) as usize,
        input: dice.below(5_000),
        output: dice.below(3_000),
        own_nanos: (dice.below(4) == 0).then(|| dice.below(1_000_000_000)),
        failed: dice.below(5) == 0,
        response_time_ms: (dice.below(3) > 0).then(|| dice.below(9_000)),
    };
    match dice.below(8) {
        0..=2 => Deed::Record { call },
        3 | 4 => Deed::Settle { call: Call { period: RUNNING, ..call } },
        5 => Deed::Release,
        6 => Deed::Refused,
        _ => {
            // What is corrected is priced again: its cost is the list's.
            let call = Call { own_nanos: None, ..call };
            Deed::Correct { id, call, input: dice.below(5_000), output: dice.below(3_000) }
        }
    }
}

impl Deed {
    /// The body of `POST /v1/usage`, but for whose use it is.
    pub fn event(&self) -> Value {
        match self {
            Self::Record { call } | Self::Settle { call } | Self::Correct { call, .. } => {
                call.event()
            }
            Self::Release | Self::Refused => json!({
                "provider": "gemini", "model": "gemini-2.5-flash",
                "usage": { "input_tokens": 10 },
            }),
        }
    }

    pub fn replacement(&self) -> Value {
        match self {
            Self::Correct { input, output, .. } => {
                json!({ "calls": 1, "input_tokens": input, "output_tokens": output })
            }
            _ => Value::Null,
        }
    }
}

impl Call {
    fn event(&self) -> Value {
        let (provider, model, ..) = MODELS[self.model];
        let mut event = json!({
            "event_id": self.id, "provider": provider, "model": model,
            "usage": { "input_tokens": self.input, "output_tokens": self.output },
            "occurred_at": DAYS[self.period],
            "status_code": if self.failed { 500 } else { 200 },
        });
        if let Some(nanos) = self.own_nanos {
            event["cost"] = json!(usd(nanos));
        }
        if let Some(ms) = self.response_time_ms {
            event["response_time_ms"] = json!(ms);
        }
        event
    }

    fn nanos(&self) -> u64 {
        let (_, _, input, output) = MODELS[self.model];
        self.own_nanos.unwrap_or(self.input * input + self.output * output)
    }
}

/// All that one subject used.
#[derive(Default)]
pub struct Ledger {
    calls: Vec<Call>,
}

impl Ledger {
    pub fn count(&mut self, deed: &Deed) {
        match deed {
            Deed::Record { call } | Deed::Settle { call } => self.calls.push(call.clone()),
            Deed::Correct { call, input, output, .. } => {
                self.calls.push(Call { input: *input, output: *output, ..call.clone() });
            }
            Deed::Release | Deed::Refused => {}
        }
    }

    pub fn events(&self) -> usize {
        self.calls.len()
    }

    pub fn month(&self, period: usize) -> Month {
        Month::of_calls(self.calls.iter().filter(|call| call.period == period))
    }

    pub fn all(&self) -> Month {
        Month::of_calls(self.calls.iter())
    }

    /// Of the months before the one that runs.
    pub fn cost_before(&self) -> String {
        usd(self.calls.iter().filter(|call| call.period != RUNNING).map(Call::nanos).sum())
    }

    pub fn providers(&self) -> Vec<&'static str> {
        self.all().providers.into_keys().collect()
    }

    /// What the log says of each, sorted.
    pub fn lines(&self) -> Vec<[String; 6]> {
        let line = |call: &Call| {
            [
                json!(MODELS[call.model].0).to_string(),
                call.input.to_string(),
                call.output.to_string(),
                usd(call.nanos()),
                json!(if call.failed { "failed" } else { "success" }).to_string(),
                json!(PERIODS[call.period]).to_string(),
            ]
        };
        let mut lines: Vec<_> = self.calls.iter().map(line).collect();
        lines.sort_unstable();
        lines
    }
}

/// What was used in a span.
#[derive(Default)]
pub struct Month {
    providers: BTreeMap<&'static str, Sum>,
    failed: u64,
    timed: u64,
    time_ms: u64,
}

#[derive(Clone, Copy, Default)]
pub struct Sum {
    calls: u64,
    tokens: u64,
    nanos: u64,
}

impl Sum {
    pub fn calls(&self) -> String {
        self.calls.to_string()
    }

    pub fn tokens(&self) -> String {
        self.tokens.to_string()
    }

    pub fn cost(&self) -> String {
        usd(self.nanos)
    }
}

impl Month {
    fn of_calls<'a>(calls: impl Iterator<Item = &'a Call>) -> Self {
        let mut month = Self::default();
        for call in calls {
            let sum = month.providers.entry(MODELS[call.model].0).or_default();
            sum.calls += 1;
            sum.tokens += call.input + call.output;
            sum.nanos += call.nanos();
            month.failed += u64::from(call.failed);
            month.timed += u64::from(call.response_time_ms.is_some());
            month.time_ms += call.response_time_ms.unwrap_or(0);
        }
        month
    }

    /// Of one provider, or of all.
    pub fn of(&self, provider: Option<&str>) -> Sum {
        let mut all = Sum::default();
        for (name, sum) in &self.providers {
            if provider.is_none_or(|provider| provider == *name) {
                all.calls += sum.calls;
                all.tokens += sum.tokens;
                all.nanos += sum.nanos;
            }
        }
        all
    }

    pub fn calls(&self) -> u64 {
        self.of(None).calls
    }

    pub fn cost(&self) -> String {
        self.of(None).cost()
    }

    /// That statistics say this, to the last digit.
    #[track_caller]
    pub fn assert_is(&self, statistics: &Value, whose: &str) {
        let of = |member: &str| statistics[member].to_string();
        let all = self.of(None);
        assert_eq!(of("total_calls"), all.calls(), "{whose}");
        assert_eq!(of("total_tokens"), all.tokens(), "{whose}");
        assert_eq!(of("total_cost"), all.cost(), "{whose}");
        // Seconds to six decimals, and a percentage to two, half to even.
        assert_eq!(
            of("avg_response_time"),
            quotient(self.time_ms, self.timed * 1_000, 6),
            "{whose}"
        );
        assert_eq!(of("error_rate"), quotient(self.failed * 100, all.calls, 2), "{whose}");
        for (provider, sum) in &self.providers {
            let found = &statistics["provider_breakdown"][provider];
            let said = format!(
                "{{\"calls\":{},\"tokens\":{},\"cost\":{}}}",
                sum.calls(),
                sum.tokens(),
                sum.cost()
            );
            assert_eq!(found.to_string(), said, "{provider} of {whose}");
        }
        let found = statistics["provider_breakdown"].as_object().unwrap();
        assert_eq!(found.len(), self.providers.len(), "{whose}");
    }
}

/// A quotient to so many decimals, half to even, without trailing zeros.
fn quotient(part: u64, whole: u64, decimals: u32) -> String {
    let power = 10_u64.pow(decimals);
    let (mut digits, rest) = match whole {
        0 => (0, 0),
        whole => (part * power / whole, part * power % whole),
    };
    if rest * 2 > whole || rest * 2 == whole && whole > 0 && digits % 2 == 1 {
        digits += 1;
    }
    let text = format!("{}.{:0width$}", digits / power, digits % power, width = decimals as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A sequence of numbers that looks random: splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
