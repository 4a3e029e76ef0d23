//! Runs rules natively, in a crate's own `cargo test`: configured as the host configures them, and
//! shown what a test says and nothing else.
//!
//! ```
//! use tollgate_plugin::testing::{call, level, quota};
//!
//! let call = call("gemini").with_model("gemini-2.5-flash").using("input_tokens", 1_200);
//! let levels = [level("acme").on_plan("team").with_quota(quota("calls", 100).with_used(40))];
//! assert_eq!(call.amount("input_tokens"), Some(1_200.into()));
//! assert_eq!(levels[0].quotas[0].used, 40.into());
//! ```

use serde_json::{Map, Value};

use crate::adjustment::Charge;
use crate::alert::Reading;
use crate::tier::{Level, Quota};
use crate::{Call, Decimal, Fact, Measure, Policy, Problem, config};

/// A policy with this configuration, or what it has against it. `config` is what stands in the
/// manifest beneath `[config]`.
///
/// # Panics
/// Where that is no TOML.
pub fn configure<P: Policy>(config: &str) -> Result<P, Vec<Problem>> {
    configure_with(config.parse().expect("the configuration is TOML"))
}

/// The same with the `[config]` of a whole manifest: `include_str!("../mine.toml")`.
///
/// # Panics
/// Where that is no TOML.
pub fn configure_as_in<P: Policy>(manifest: &str) -> Result<P, Vec<Problem>> {
    let mut manifest: toml::Table = manifest.parse().expect("the manifest is TOML");
    match manifest.remove("config") {
        Some(toml::Value::Table(config)) => configure_with(config),
        _ => configure_with(toml::Table::new()),
    }
}

/// The problems that a policy finds in a configuration, as `path: message`; none where it takes it.
pub fn problems<P: Policy>(config: &str) -> Vec<String> {
    let problems = configure::<P>(config).err().unwrap_or_default();
    problems.into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
}

/// A call of which nothing else is known: no model, no usage, no facts.
pub fn call(provider: &str) -> Call {
    Call { provider: provider.into(), model: None, usage: Vec::new(), at: 0, facts: Vec::new() }
}

/// A line of a bill, for what goes in.
///
/// # Panics
/// Where the price is no decimal, or the cost does not fit into one.
pub fn charge(quantity: &str, amount: impl Into<Decimal>, unit_price: &str) -> Charge {
    let (amount, unit_price) = (amount.into(), unit_price.parse().expect("the price is a decimal"));
    let cost = amount.times(unit_price).expect("the cost fits into a decimal");
    Charge { quantity: quantity.into(), amount, unit_price, cost, side: "input".into() }
}

/// A level without a plan.
pub fn level(subject: &str) -> Level {
    Level { subject: subject.into(), plan: None, quotas: Vec::new() }
}

/// A quota of which nothing is used, and one is asked.
pub fn quota(name: &str, limit: impl Into<Decimal>) -> Quota {
    Quota {
        name: name.into(),
        limit: Some(limit.into()),
        used: Decimal::ZERO,
        reserved: Decimal::ZERO,
        requested: 1.into(),
    }
}

/// A quota of a month, of which so much is used.
pub fn reading(quota: &str, limit: impl Into<Decimal>, after: impl Into<Decimal>) -> Reading {
    Reading {
        subject: "somebody".into(),
        plan: "free".into(),
        quota: quota.into(),
        meter: quota.into(),
        provider: None,
        window: "month".into(),
        limit: limit.into(),
        before: Decimal::ZERO,
        after: after.into(),
        raised: Vec::new(),
    }
}

impl Call {
    /// The same call to this model.
    #[must_use]
    pub fn with_model(mut self, model: &str) -> Self {
        self.model = Some(model.into());
        self
    }

    /// The same call with so much of a quantity.
    #[must_use]
    pub fn using(mut self, quantity: &str, amount: impl Into<Decimal>) -> Self {
        self.usage.push(Measure { quantity: quantity.into(), amount: amount.into() });
        self
    }

    /// The same call with a fact.
    #[must_use]
    pub fn with_fact(mut self, name: &str, value: &str) -> Self {
        self.facts.push(Fact { name: name.into(), value: value.into() });
        self
    }
}

impl Level {
    /// The same level on a plan.
    #[must_use]
    pub fn on_plan(mut self, plan: &str) -> Self {
        self.plan = Some(plan.into());
        self
    }

    /// The same level with another quota.
    #[must_use]
    pub fn with_quota(mut self, quota: Quota) -> Self {
        self.quotas.push(quota);
        self
    }
}

impl Quota {
    /// The same quota with so much used.
    #[must_use]
    pub fn with_used(self, used: impl Into<Decimal>) -> Self {
        Self { used: used.into(), ..self }
    }
}

impl Reading {
    /// The same reading in another window.
    #[must_use]
    pub fn in_window(self, window: &str) -> Self {
        Self { window: window.into(), ..self }
    }

    /// The same reading after these thresholds were raised.
    #[must_use]
    pub fn with_raised(self, thresholds: &[u32]) -> Self {
        Self { raised: thresholds.into(), ..self }
    }
}

fn configure_with<P: Policy>(config: toml::Table) -> Result<P, Vec<Problem>> {
    let json = to_json(toml::Value::Table(config)).to_string();
    P::new(config::decode(&json).map_err(|problem| vec![problem])?)
}

/// As the host does it, but for numbers with a point: their digits are those that they have as a
/// float, which are the written ones up to fifteen.
fn to_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(to_json).collect(),
        toml::Value::Table(table) => {
            let entries = table.into_iter().map(|(key, value)| (key, to_json(value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}
