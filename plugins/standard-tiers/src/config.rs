//! The plans as an operator writes them.

use std::collections::BTreeSet;

use serde::Deserialize;
use tollgate_plugin::{Decimal, Pointer, Problem, Problems};

const WINDOWS: [&str; 6] = ["minute", "hour", "day", "week", "month", "lifetime"];
/// Begins the name of a window that goes along with the clock.
const SLIDING: &str = "sliding:";
const SLIDING_SECONDS_MAX: u32 = 2_678_400;
const ID_BYTES_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 200;
const MODES: [&str; 2] = ["hard", "soft"];

/// The `[config]` table of the manifest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The plan of a subject for whom nobody chose one.
    pub(crate) default_plan: Option<String>,
    #[serde(default)]
    pub(crate) plans: Vec<Plan>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) tier: String,
    #[serde(default)]
    pub(crate) description: String,
    pub(crate) price_monthly: Decimal,
    pub(crate) price_yearly: Decimal,
    #[serde(default)]
    pub(crate) features: Vec<String>,
    /// Absent for all.
    pub(crate) providers: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) quotas: Vec<Quota>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quota {
    pub(crate) name: String,
    pub(crate) meter: String,
    #[serde(default)]
    pub(crate) providers: Vec<String>,
    #[serde(default)]
    pub(crate) models: Vec<String>,
    #[serde(default = "month")]
    pub(crate) window: String,
    /// Absent for unlimited.
    pub(crate) limit: Option<Decimal>,
    #[serde(default = "hard")]
    pub(crate) mode: String,
    #[serde(default)]
    pub(crate) grace_percent: u32,
}

fn month() -> String {
    "month".into()
}

fn hard() -> String {
    "hard".into()
}

/// Finds all that is wrong with a configuration whose types are right.
pub(crate) fn check(config: &Config) -> Result<(), Vec<Problem>> {
    let mut problems = Problems::default();
    let mut ids = BTreeSet::new();
    for (plan, at) in config.plans.iter().zip(Pointer::root().to("plans").items()) {
        problems.unless(ids.insert(&plan.id), &at.to("id"), "another plan has this id");
        check_plan(plan, &at, &mut problems);
    }
    if let Some(default) = &config.default_plan {
        let message = format!("no plan has the id `{default}`");
        problems.unless(ids.contains(default), &Pointer::root().to("default_plan"), message);
    }
    problems.into_result()
}

fn check_plan(plan: &Plan, at: &Pointer, problems: &mut Problems) {
    check_id(&plan.id, &at.to("id"), problems);
    check_name(&plan.name, &at.to("name"), problems);
    check_name(&plan.tier, &at.to("tier"), problems);
    check_amount(plan.price_monthly, &at.to("price_monthly"), problems);
    check_amount(plan.price_yearly, &at.to("price_yearly"), problems);
    check_providers(plan.providers.as_deref().unwrap_or_default(), at, problems);
    for (feature, at) in plan.features.iter().zip(at.to("features").items()) {
        check_id(feature, &at, problems);
    }
    let mut names = BTreeSet::new();
    for (quota, at) in plan.quotas.iter().zip(at.to("quotas").items()) {
        let is_new = names.insert(&quota.name);
        problems.unless(is_new, &at.to("name"), "another quota of this plan has this name");
        check_quota(quota, &at, problems);
    }
}

fn check_quota(quota: &Quota, at: &Pointer, problems: &mut Problems) {
    check_id(&quota.name, &at.to("name"), problems);
    check_id(&quota.meter, &at.to("meter"), problems);
    check_providers(&quota.providers, at, problems);
    for (model, at) in quota.models.iter().zip(at.to("models").items()) {
        check_name(model, &at, problems);
    }
    check_window(&quota.window, &at.to("window"), problems);
    check_word(&quota.mode, &MODES, &at.to("mode"), problems);
    check_amount(quota.limit.unwrap_or_default(), &at.to("limit"), problems);
}

fn check_window(window: &str, at: &Pointer, problems: &mut Problems) {
    let Some(seconds) = window.strip_prefix(SLIDING) else {
        let known = WINDOWS.join(", ");
        let message = format!("`{window}` is none of {known}, {SLIDING}SECONDS");
        return problems.unless(WINDOWS.contains(&window), at, message);
    };
    // As the host reads it: digits alone, and no zero before them.
    let plain = seconds.bytes().all(|digit| digit.is_ascii_digit()) && !seconds.starts_with('0');
    let known = |seconds: u32| (1..=SLIDING_SECONDS_MAX).contains(&seconds);
    let message = format!("`{window}` must be {SLIDING} and 1 to {SLIDING_SECONDS_MAX} seconds");
    problems.unless(plain && seconds.parse().is_ok_and(known), at, message);
}

fn check_name(name: &str, at: &Pointer, problems: &mut Problems) {
    problems.unless(!name.trim().is_empty(), at, "must not be empty");
    problems.unless(name.len() <= NAME_BYTES_MAX, at, "must not be longer than 200 bytes");
    problems.unless(!name.chars().any(char::is_control), at, "must not contain control characters");
}

/// As the host reads an id.
fn check_id(id: &str, at: &Pointer, problems: &mut Problems) {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    match id {
        "" => problems.unless(false, at, "must not be empty"),
        id => {
            let message = "may contain only a-z, 0-9 and any of . _ -";
            problems.unless(id.bytes().all(allowed), at, message);
            problems.unless(id.len() <= ID_BYTES_MAX, at, "must not be longer than 64 bytes");
        }
    }
}

fn check_amount(amount: Decimal, at: &Pointer, problems: &mut Problems) {
    problems.unless(!amount.is_negative(), at, "must not be negative");
}

fn check_word(word: &str, known: &[&str], at: &Pointer, problems: &mut Problems) {
    let message = format!("`{word}` is none of {}", known.join(", "));
    problems.unless(known.contains(&word), at, message);
}

fn check_providers(providers: &[String], at: &Pointer, problems: &mut Problems) {
    for (provider, at) in providers.iter().zip(at.to("providers").items()) {
        check_id(provider, &at, problems);
    }
}
