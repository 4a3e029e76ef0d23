use serde_json::{Value, json};
use tollgate_plugin::tier::{Level, Plan, Verdict};
use tollgate_plugin::{Call, Decimal, Fact, Policy, Problem, TierPolicy, config};

use crate::StandardTiers;

const SHIPPED: &str = include_str!("../../../policies/standard-tiers.toml");

fn configured(config: &Value) -> Result<StandardTiers, Vec<Problem>> {
    StandardTiers::new(config::decode(&config.to_string()).map_err(|problem| vec![problem])?)
}

fn shipped() -> StandardTiers {
    let manifest: Value = toml::from_str(SHIPPED).expect("a manifest");
    configured(&manifest["config"]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn call(provider: &str, features: &str) -> Call {
    let facts = vec![Fact { name: "features".into(), value: features.into() }];
    Call { provider: provider.into(), model: None, usage: Vec::new(), at: 0, facts }
}

fn levels(plans: &[Option<&str>]) -> Vec<Level> {
    let level = |plan: &Option<&str>| Level {
        subject: "somebody".into(),
        plan: plan.map(Into::into),
        quotas: Vec::new(),
    };
    plans.iter().map(level).collect()
}

/// Checks that one change to a good configuration is refused, and where.
#[track_caller]
fn check_problem(pointer: &str, wrong: Value, path: &str, message: &str) {
    let mut config = json!({
        "default_plan": "a",
        "plans": [
            {"id": "a", "name": "A", "tier": "a", "price_monthly": "0", "price_yearly": "0",
             "providers": ["x"], "features": ["f"], "quotas": [
                {"name": "calls", "meter": "calls", "limit": 1},
                {"name": "cost", "meter": "cost", "limit": "1"},
            ]},
            {"id": "b", "name": "B", "tier": "b", "price_monthly": "1", "price_yearly": "10"},
        ],
    });
    assert!(configured(&config).is_ok());
    *config.pointer_mut(pointer).expect("a value to change") = wrong;
    let problems = configured(&config).err().expect("problems");
    let found = problems.iter().any(|it| it.path == path && it.message.contains(message));
    assert!(found, "{problems:?}");
}

#[test]
fn the_shipped_plans_allow_what_they_say() {
    let limits = |plan: &Plan| {
        let limit = |limit: Option<Decimal>| limit.map_or("none".into(), |it| it.to_string());
        let quotas = plan.quotas.iter().map(|it| format!("{} {}", it.name, limit(it.limit)));
        quotas.collect::<Vec<_>>().join(", ")
    };
    let table: Vec<_> = shipped()
        .plans()
        .iter()
        .map(|plan| {
            let Plan { id, price_monthly, price_yearly, default, .. } = plan;
            format!("{id} {price_monthly} {price_yearly} {default}: {}", limits(plan))
        })
        .collect();
    assert_eq!(
        table,
        [
            "basic 29 290 false: gemini_calls 1000, openai_calls 500, gemini_tokens 1000000, \
         openai_tokens 500000, monthly_cost 50",
            "enterprise 199 1990 false: monthly_cost 500",
            "free 0 0 true: gemini_calls 100, gemini_tokens 100000",
            "pro 79 790 false: gemini_calls 5000, openai_calls 2500, gemini_tokens 5000000, \
         openai_tokens 2500000, monthly_cost 150",
        ]
    );
}

#[test]
fn a_quota_is_hard_and_monthly_unless_said_otherwise() {
    for quota in shipped().plans().iter().flat_map(|plan| &plan.quotas) {
        assert_eq!((quota.mode.as_str(), quota.window.as_str()), ("hard", "month"));
        assert_eq!(quota.grace_percent, 0);
    }
}

#[test]
fn a_provider_that_is_not_sold_is_refused_on_its_level() {
    let verdict = shipped().evaluate(&call("openai", ""), &levels(&[Some("pro"), Some("free")]));
    let message = "The plan Free does not include the provider openai.";
    assert_eq!(verdict, Verdict::refuse(1, "not_in_plan", message));
}

#[test]
fn a_feature_that_is_not_sold_is_refused() {
    let call = call("gemini", "basic_content_generation,white_label");
    let message = "The plan Pro does not include the feature white_label.";
    let verdict = shipped().evaluate(&call, &levels(&[Some("pro")]));
    assert_eq!(verdict, Verdict::refuse(0, "not_in_plan", message));
    assert_eq!(shipped().evaluate(&call, &levels(&[Some("enterprise")])), Verdict::allow());
}

#[test]
fn what_the_plan_sells_is_allowed() {
    assert_eq!(shipped().evaluate(&call("gemini", ""), &levels(&[Some("free")])), Verdict::allow());
    assert_eq!(shipped().evaluate(&call("exa", ""), &levels(&[Some("basic")])), Verdict::allow());
}

#[test]
fn there_is_no_opinion_on_plans_of_others() {
    let levels = levels(&[None, Some("somebody-elses")]);
    assert_eq!(shipped().evaluate(&call("openai", "anything"), &levels), Verdict::allow());
}

#[test]
fn configuration_errors_name_the_path() {
    let path = "/default_plan";
    check_problem(path, json!("c"), path, "no plan has the id `c`");
    let path = "/plans/1/id";
    check_problem(path, json!("a"), path, "another plan has this id");
    let path = "/plans/1/price_monthly";
    check_problem(path, json!("-1"), path, "negative");
    let path = "/plans/0/providers/0";
    check_problem(path, json!("OpenAI"), path, "may contain only a-z");
    let path = "/plans/0/features/0";
    check_problem(path, json!("a,b"), path, "may contain only a-z");
    check_problem(path, json!(""), path, "must not be empty");
    let path = "/plans/0/tier";
    check_problem(path, json!(" "), path, "must not be empty");
    let path = "/plans/0/quotas/0/meter";
    check_problem(path, json!("no meter"), path, "may contain only a-z");
    check_problem(path, json!("m".repeat(65)), path, "must not be longer than 64 bytes");
    let path = "/plans/0/quotas/1/name";
    check_problem(path, json!("calls"), path, "another quota");
    let path = "/plans/0/quotas/0/limit";
    check_problem(path, json!(-5), path, "negative");
    check_problem(path, json!("many"), path, "`many` is not a decimal");
    let quota = "/plans/0/quotas/0";
    let wrong = json!({"name": "n", "meter": "calls", "window": "fortnight"});
    check_problem(quota, wrong, "/plans/0/quotas/0/window", "`fortnight` is none of minute");
    for window in ["sliding:0", "sliding:x", "sliding:", "sliding:-5", "sliding:2678401"] {
        let wrong = json!({"name": "n", "meter": "calls", "window": window});
        let message = format!("`{window}` must be sliding: and 1 to 2678400 seconds");
        check_problem(quota, wrong, "/plans/0/quotas/0/window", &message);
    }
    let wrong = json!({"name": "n", "meter": "calls", "mode": "gentle"});
    check_problem(quota, wrong, "/plans/0/quotas/0/mode", "`gentle` is none of hard, soft");
    let wrong = json!({"name": "n", "meter": "calls", "limits": 1});
    check_problem(quota, wrong, "/plans/0/quotas/0/limits", "unknown field `limits`");
}
