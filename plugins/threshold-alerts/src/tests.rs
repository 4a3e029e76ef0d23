use serde_json::{Value, json};
use tollgate_plugin::alert::Reading;
use tollgate_plugin::{AlertPolicy, Decimal, Policy, Problem, config};

use crate::ThresholdAlerts;

/// Which models and plans are advised.
mod advice;

const SHIPPED: &str = include_str!("../../../policies/threshold-alerts.toml");

fn configured(config: &Value) -> Result<ThresholdAlerts, Vec<Problem>> {
    ThresholdAlerts::new(config::decode(&config.to_string()).map_err(|problem| vec![problem])?)
}

fn shipped() -> ThresholdAlerts {
    let manifest: Value = toml::from_str(SHIPPED).expect("a manifest");
    configured(&manifest["config"]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn reading(quota: &str, meter: &str, after: &str, limit: &str) -> Reading {
    let decimal = |text: &str| text.parse().expect("a decimal");
    Reading {
        subject: "user123".into(),
        plan: "pro".into(),
        quota: quota.into(),
        meter: meter.into(),
        provider: None,
        window: "month".into(),
        limit: decimal(limit),
        before: Decimal::ZERO,
        after: decimal(after),
        raised: Vec::new(),
    }
}

fn thresholds(reading: Reading) -> Vec<u32> {
    shipped().due(&[reading]).iter().map(|alert| alert.threshold).collect()
}

#[test]
fn a_threshold_is_due_exactly_at_its_percentage() {
    assert!(thresholds(reading("gemini_calls", "calls", "3999", "5000")).is_empty());
    assert_eq!(thresholds(reading("gemini_calls", "calls", "4000", "5000")), [80]);
    let just_below = reading("monthly_cost", "cost", "119.999999999999999999", "150");
    assert!(thresholds(just_below).is_empty());
}

#[test]
fn a_jump_raises_every_threshold_it_crosses() {
    assert_eq!(thresholds(reading("gemini_calls", "calls", "101", "100")), [80, 90, 100]);
}

#[test]
fn what_was_raised_is_not_raised_again_and_what_was_missed_is() {
    let raised = vec![80, 100];
    let reading = Reading { raised, ..reading("gemini_calls", "calls", "100", "100") };
    assert_eq!(thresholds(reading), [90]);
}

#[test]
fn an_alert_says_what_happened() {
    let readings = [
        reading("gemini_calls", "calls", "4500", "5000"),
        reading("monthly_cost", "cost", "150.25", "150"),
    ];
    let due = shipped().due(&readings);
    let lines: Vec<_> = due
        .iter()
        .map(|it| {
            format!("{} {} {} | {} | {}", it.reading, it.kind, it.severity, it.title, it.message)
        })
        .collect();
    assert_eq!(
        lines,
        [
            "0 usage_warning info | gemini_calls: 80% of the limit used | \
         user123 used 4500 of 5000 calls this month (gemini_calls).",
            "0 usage_warning warning | gemini_calls: 90% of the limit used | \
         user123 used 4500 of 5000 calls this month (gemini_calls).",
            "1 cost_warning info | monthly_cost: 80% of the limit used | \
         user123 used 150.25 of 150 USD this month (monthly_cost).",
            "1 cost_warning warning | monthly_cost: 90% of the limit used | \
         user123 used 150.25 of 150 USD this month (monthly_cost).",
            "1 cost_limit_reached error | monthly_cost: limit reached | \
         user123 used 150.25 of 150 USD this month (monthly_cost).",
        ]
    );
}

#[test]
fn a_window_is_named_in_words() {
    for (window, words) in [
        ("day", "9 of 10 calls today (bursts)"),
        ("minute", "9 of 10 calls this minute (bursts)"),
        ("sliding:60", "9 of 10 calls in 60 seconds (bursts)"),
        ("sliding:1", "9 of 10 calls in 1 second (bursts)"),
    ] {
        let reading = Reading { window: window.into(), ..reading("bursts", "calls", "9", "10") };
        assert_eq!(shipped().due(&[reading])[0].message, format!("user123 used {words}."));
    }
}

#[test]
fn a_larger_plan_is_advised_once_for_all_quotas_that_are_near_their_end() {
    let readings = [
        reading("gemini_calls", "calls", "4000", "5000"),
        reading("openai_calls", "calls", "1", "2500"),
        reading("monthly_cost", "cost", "149", "150"),
    ];
    let advice = shipped().recommend(&readings);
    assert_eq!(advice.len(), 1);
    assert_eq!(advice[0].kind, "upgrade_plan");
    assert_eq!(
        advice[0].message,
        "user123 on the plan pro used 4000 of 5000 calls this month (gemini_calls); \
         149 of 150 USD this month (monthly_cost)."
    );
    assert_eq!(shipped().recommend(&readings[1..2]), []);
}

#[test]
fn configuration_errors_name_the_path() {
    for (config, path) in [
        (json!({"thresholds": [80, 0]}), "/thresholds/1"),
        (json!({"thresholds": [80, 90, 80]}), "/thresholds/2"),
        (json!({"thresholds": [80.5]}), "/thresholds/0"),
        (json!({"thresholds": [80], "recommend_from": 0}), "/recommend_from"),
        (json!({"threshold": [80]}), "/threshold"),
        (json!({"thresholds": [80], "downgrade_below": 101}), "/downgrade_below"),
        (
            json!({"thresholds": [80], "cheaper_models_from": {"usd": "-1", "percent": 5}}),
            "/cheaper_models_from/usd",
        ),
        (
            json!({"thresholds": [80], "alternatives": [{"provider": "gemini", "by": []}]}),
            "/alternatives/0/by",
        ),
        (
            json!({"thresholds": [80], "alternatives": [{"provider": "gemini", "by": [{}]}]}),
            "/alternatives/0/by/0",
        ),
    ] {
        let problems = configured(&config).err().expect("problems");
        assert_eq!(problems[0].path, path, "{problems:?}");
    }
}
