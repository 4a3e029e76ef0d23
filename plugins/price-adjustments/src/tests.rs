//! What rules make of a bill.

use serde_json::{Value, json};
use tollgate_plugin::adjustment::Charge;
use tollgate_plugin::{AdjustmentPolicy, Call, Decimal, Fact, Policy, config};

use super::PriceAdjustments;

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

fn charge(quantity: &str, amount: u32, unit_price: &str) -> Charge {
    let (amount, unit_price) = (Decimal::from(amount), decimal(unit_price));
    let cost = amount.times(unit_price).expect("an exact product");
    Charge { quantity: quantity.into(), amount, unit_price, cost, side: "input".into() }
}

/// What 1,000 tokens at 0.000003 and a search at 0.01 cost under rules.
#[track_caller]
fn costs(rules: Value, facts: &[(&str, &str)]) -> [String; 2] {
    let config = config::decode(&json!({ "rules": rules }).to_string()).expect("a configuration");
    let policy = PriceAdjustments::new(config).unwrap_or_else(|problems| panic!("{problems:?}"));
    let fact = |&(name, value): &(&str, &str)| Fact { name: name.into(), value: value.into() };
    let call = Call {
        provider: "openai".into(),
        model: Some("gpt-4o-mini".into()),
        usage: Vec::new(),
        at: 0,
        facts: facts.iter().map(fact).collect(),
    };
    let charges = vec![charge("input_tokens", 1_000, "0.000003"), charge("searches", 1, "0.01")];
    let charges = policy.adjust(&call, "gpt-4o", charges).expect("charges");
    [&charges[0], &charges[1]].map(|charge| charge.cost.to_string())
}

#[test]
fn a_margin_is_on_everything_and_exact() {
    assert_eq!(costs(json!([{"factor": "1.15"}]), &[]), ["0.00345", "0.0115"]);
    assert_eq!(costs(json!([{"factor": "1.1"}, {"factor": "1.1"}]), &[]), ["0.00363", "0.0121"]);
    assert_eq!(costs(json!([]), &[]), ["0.003", "0.01"]);
}

#[test]
fn a_rule_is_for_what_it_names() {
    let rule = |name: &str, value: Value| {
        let mut rule = json!({"factor": "2"});
        rule[name] = value;
        json!([rule])
    };
    let (changed, same) =
        (["0.006".to_owned(), "0.02".into()], ["0.003".to_owned(), "0.01".into()]);
    let plan = [("plan", "free")];
    assert_eq!(costs(rule("plans", json!(["free"])), &plan), changed);
    assert_eq!(costs(rule("plans", json!(["pro"])), &plan), same);
    assert_eq!(costs(rule("plans", json!(["free"])), &[]), same);
    assert_eq!(costs(rule("models", json!(["gpt-4o*"])), &[]), changed);
    assert_eq!(costs(rule("models", json!(["gpt-4o"])), &[]), same);
    assert_eq!(costs(rule("providers", json!(["openai"])), &[]), changed);
    assert_eq!(costs(rule("quantities", json!(["searches"])), &[]), ["0.003", "0.02"]);
}

#[test]
fn a_volume_discount_begins_where_it_says() {
    let rules = || {
        json!([
            {"factor": "0.9", "from_period_cost": "100", "to_period_cost": "1000"},
            {"factor": "0.8", "from_period_cost": "1000"},
        ])
    };
    let at = |spent: &str| costs(rules(), &[("period-cost", spent)])[1].clone();
    assert_eq!(at("99.999999"), "0.01");
    assert_eq!(at("100"), "0.009");
    assert_eq!(at("1000"), "0.008");
    assert_eq!(costs(rules(), &[])[1], "0.01");
}

#[test]
fn a_rule_that_makes_no_sense_is_refused() {
    let rules = json!({"rules": [
        {"factor": "-1"},
        {"factor": "1", "from_period_cost": "5", "to_period_cost": "5"},
    ]});
    let config = config::decode(&rules.to_string()).expect("a configuration");
    let problems = PriceAdjustments::new(config).err().expect("problems");
    let places: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(places, ["/rules/0/factor", "/rules/1/to_period_cost"]);
}
