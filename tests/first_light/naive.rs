//! What the service should come to, from the rules as written down, shared with no code of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::trace::Row;

/// Name, whether it sells everything or Gemini only, and the quotas.
type Plan = (&'static str, bool, &'static [(&'static str, Meter, u64)]);

/// What a quota counts, and of which provider.
enum Meter {
    Calls(&'static str),
    Tokens(&'static str),
    /// In billionths of a dollar, of all providers.
    Cost,
}

const USD: u64 = 1_000_000_000;

const PLANS: [Plan; 4] = [
    (
        "free",
        false,
        &[
            ("gemini_calls", Meter::Calls("gemini"), 100),
            ("gemini_tokens", Meter::Tokens("gemini"), 100_000),
        ],
    ),
    (
        "basic",
        true,
        &[
            ("gemini_calls", Meter::Calls("gemini"), 1_000),
            ("openai_calls", Meter::Calls("openai"), 500),
            ("gemini_tokens", Meter::Tokens("gemini"), 1_000_000),
            ("openai_tokens", Meter::Tokens("openai"), 500_000),
            ("monthly_cost", Meter::Cost, 50 * USD),
        ],
    ),
    (
        "pro",
        true,
        &[
            ("gemini_calls", Meter::Calls("gemini"), 5_000),
            ("openai_calls", Meter::Calls("openai"), 2_500),
            ("gemini_tokens", Meter::Tokens("gemini"), 5_000_000),
            ("openai_tokens", Meter::Tokens("openai"), 2_500_000),
            ("monthly_cost", Meter::Cost, 150 * USD),
        ],
    ),
    ("enterprise", true, &[("monthly_cost", Meter::Cost, 500 * USD)]),
];

/// Provider, and the price of an input and an output token in billionths of a dollar.
const MODELS: [(&str, u64, u64); 5] = [
    ("gemini", 125, 375),
    ("gemini", 75, 300),
    ("openai", 2_500, 10_000),
    ("gemini", 1_250, 10_000),
    ("anthropic", 3_000, 15_000),
];

/// What one subject used, and was refused.
#[derive(Default)]
pub struct Account {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub providers: BTreeMap<&'static str, Used>,
    refused: BTreeMap<Refusal, u64>,
}

#[derive(Clone, Copy, Default)]
pub struct Used {
    pub calls: u64,
    pub tokens: u64,
    pub nanos: u64,
}

/// Plan, reason and quota.
type Refusal = (&'static str, &'static str, Option<&'static str>);

/// Deals the rows to the subjects as `tollgate load` says it does, and keeps their accounts.
pub fn account(rows: &[Row], subjects: usize) -> Vec<Account> {
    let mut accounts: Vec<_> = (0..subjects).map(|_| Account::default()).collect();
    for (i, row) in rows.iter().enumerate() {
        let (subject, turn) = (i % subjects, i / subjects);
        let wants_unsold_feature = turn % 25 == 24;
        let model = &MODELS[(subject + turn) % 5];
        accounts[subject].call(&PLANS[subject % 4], model, *row, wants_unsold_feature);
    }
    accounts
}

/// How many calls each plan refused and why, as the report lists them.
pub fn refusals(accounts: &[Account]) -> Vec<Value> {
    let mut sums = BTreeMap::<Refusal, u64>::new();
    for (refusal, calls) in accounts.iter().flat_map(|account| &account.refused) {
        *sums.entry(*refusal).or_default() += calls;
    }
    let line = |((plan, reason, quota), calls): (Refusal, u64)| json!({ "plan": plan, "reason": reason, "quota": quota, "calls": calls });
    sums.into_iter().map(line).collect()
}

impl Account {
    pub fn calls(&self) -> u64 {
        self.providers.values().map(|used| used.calls).sum()
    }

    pub fn tokens(&self) -> u64 {
        self.input_tokens + self.output_tokens
    }

    pub fn nanos(&self) -> u64 {
        self.providers.values().map(|used| used.nanos).sum()
    }

    fn call(
        &mut self,
        &(plan, sells_all, quotas): &Plan,
        &(provider, input_price, output_price): &(&'static str, u64, u64),
        row: Row,
        wants_unsold_feature: bool,
    ) {
        let tokens = row.input_tokens + row.output_tokens;
        let nanos = row.input_tokens * input_price + row.output_tokens * output_price;
        let used = self.providers.get(provider).copied().unwrap_or_default();
        let full = |(_, meter, limit): &&(&str, Meter, u64)| match meter {
            Meter::Calls(of) => *of == provider && used.calls + 1 > *limit,
            Meter::Tokens(of) => *of == provider && used.tokens + tokens > *limit,
            Meter::Cost => self.nanos() + nanos > *limit,
        };
        let refusal = if wants_unsold_feature || !(sells_all || provider == "gemini") {
            Some((plan, "not_in_plan", None))
        } else {
            quotas.iter().find(full).map(|(name, _, _)| (plan, "quota_exceeded", Some(*name)))
        };
        if let Some(refusal) = refusal {
            *self.refused.entry(refusal).or_default() += 1;
            return;
        }
        self.input_tokens += row.input_tokens;
        self.output_tokens += row.output_tokens;
        let used = self.providers.entry(provider).or_default();
        used.calls += 1;
        used.tokens += tokens;
        used.nanos += nanos;
    }
}
