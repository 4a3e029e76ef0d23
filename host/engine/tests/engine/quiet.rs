//! Questions that a policy says it need not be asked.

use tollgate_domain::{Alert, Call, Estimate, Opinion, Reading, Timestamp, Window};
use tollgate_engine::{Average, Payer, Policies, PolicyMetrics, PolicySet};

use crate::support::{Folder, active, call, eventually, guest, rejection, snapshot};

fn metrics(policies: &Policies, name: &str) -> PolicyMetrics {
    let mut all = policies.policy_metrics().into_iter();
    all.find(|policy| policy.policy == name).expect("the policy is active")
}

fn judged(set: &PolicySet, call: &Call) -> Opinion {
    set.judge(call).evaluate(call, &snapshot(set.plans(), Some("free")), None)
}

#[test]
fn verdicts_that_depend_on_little_are_given_once() {
    let policies = Folder::shipped().open();
    let set = active(&policies);
    let spent = || metrics(&policies, "standard-tiers").fuel;
    let openai = call("openai", "m", &[]);
    let (refused, after_one) = (judged(&set, &openai), spent());
    assert_eq!(refused.refusal.as_ref().map(|it| it.reason.as_str()), Some("not_in_plan"));
    for subject in ["zoe", "acme/bob"] {
        let other = Call { subject: subject.parse().unwrap(), model: None, ..openai.clone() };
        assert_eq!(judged(&set, &other), refused);
    }
    assert_eq!(spent(), after_one, "neither subject nor model matter");
    assert_eq!(metrics(&policies, "standard-tiers").calls, 3, "it was asked all the same");
    let wanting =
        Call { features: vec!["white_label".parse().unwrap()], ..call("gemini", "m", &[]) };
    assert_eq!(judged(&set, &call("gemini", "m", &[])).refusal, None);
    assert!(judged(&set, &wanting).refusal.is_some(), "features do");
    assert!(spent() > after_one);
}

#[test]
fn a_verdict_that_is_kept_is_asked_for_again_once_in_a_thousand_times() {
    let policies = Folder::shipped().open();
    let set = active(&policies);
    let gemini = call("gemini", "m", &[]);
    judged(&set, &gemini);
    let after_one = metrics(&policies, "standard-tiers").fuel;
    for _ in 0..1_000 {
        judged(&set, &gemini);
    }
    assert_eq!(metrics(&policies, "standard-tiers").fuel, after_one);
    judged(&set, &gemini);
    assert_eq!(metrics(&policies, "standard-tiers").fuel, 2 * after_one);
    eventually("a fresh instance is asked", || metrics(&policies, "standard-tiers").rechecks == 1);
}

fn estimate(set: &PolicySet, call: &Call) -> Estimate {
    let at = Timestamp::from_micros(1_785_585_600_000_000);
    set.estimate(call, at, &Payer::default(), &Average::default()).unwrap()
}

#[test]
fn estimates_of_calls_that_differ_in_amounts_alone_are_reckoned_without_the_policy() {
    let policies = Folder::shipped().open();
    let set = active(&policies);
    let spent = || metrics(&policies, "token-pricing").fuel;
    let asked = |input, output| {
        call("gemini", "gemini-2.5-flash", &[("input_tokens", input), ("output_tokens", output)])
    };
    let cost = |call: &Call| estimate(&set, call).cost.known().unwrap().to_string();
    assert_eq!(cost(&asked(1_000_000, 0)), "0.125");
    let after_one = spent();
    assert_eq!(cost(&asked(0, 1_000_000)), "0.375");
    let other = Call { subject: "zoe".parse().unwrap(), ..asked(1, 1) };
    assert_eq!(cost(&other), "0.0000005");
    assert_eq!(spent(), after_one);
    assert_eq!(metrics(&policies, "token-pricing").calls, 3, "it was asked all the same");
    let bounded =
        Call { max_tokens: Some(10), ..call("gemini", "gemini-2.5-flash", &[("input_tokens", 0)]) };
    assert_eq!(cost(&bounded), "0.00000375");
    assert!(spent() > after_one, "what is stated is another matter");
    let before = spent();
    let parts = [("input_tokens", 2), ("cache_read_tokens", 1), ("output_tokens", 0)];
    estimate(&set, &call("gemini", "gemini-2.5-flash", &parts));
    let after_one = spent();
    estimate(&set, &call("gemini", "gemini-2.5-flash", &parts));
    assert!(before < after_one && after_one < spent(), "parts may be too large: it is asked");
    assert_eq!(cost(&asked(2_000_000_000, 0)), "250", "large amounts are asked for");
}

#[test]
fn prices_of_calls_that_differ_in_amounts_alone_are_reckoned_without_the_policy() {
    let policies = Folder::shipped().open();
    let set = active(&policies);
    let spent = || metrics(&policies, "token-pricing").fuel;
    let price = |day: &str, usage: &[(&str, u64)]| {
        let at: Timestamp = format!("{day}T00:00:00Z").parse().unwrap();
        let used = call("gemini", "gemini-2.5-flash", usage);
        let quote = set.price(&used, at, &Payer::default()).unwrap().unwrap();
        let charges = quote.charges.iter().map(|it| format!("{} {}", it.quantity, it.amount));
        format!("{} {}: {}", quote.entry, quote.cost, charges.collect::<Vec<_>>().join(", "))
    };
    let totals = |input, output| [("input_tokens", input), ("output_tokens", output)];
    let first = price("2026-08-01", &totals(1_000_000, 0));
    assert_eq!(first, "gemini-2.5-flash 0.125: input_tokens 1000000");
    let after_one = spent();
    let other = "gemini-2.5-flash 0.0000005: input_tokens 1, output_tokens 1";
    assert_eq!(price("2026-08-02", &totals(1, 1)), other);
    assert_eq!(price("2024-12-31", &totals(1, 1)), other, "late, and at the only price there is");
    assert_eq!(spent(), after_one);
    price("2026-08-01", &[("input_tokens", 2), ("cache_read_tokens", 1), ("output_tokens", 0)]);
    assert!(spent() > after_one, "what is stated is another matter");
}

#[test]
fn an_estimate_that_is_reckoned_is_asked_for_again_once_in_a_thousand_times() {
    let policies = Folder::shipped().open();
    let set = active(&policies);
    let gemini = call("gemini", "gemini-2.5-flash", &[("input_tokens", 1), ("output_tokens", 1)]);
    estimate(&set, &gemini);
    let after_one = metrics(&policies, "token-pricing").fuel;
    for _ in 0..1_000 {
        estimate(&set, &gemini);
    }
    assert_eq!(metrics(&policies, "token-pricing").fuel, after_one);
    estimate(&set, &gemini);
    assert!(metrics(&policies, "token-pricing").fuel > after_one);
    eventually("a fresh instance is asked", || metrics(&policies, "token-pricing").rechecks == 1);
}

#[test]
fn what_another_version_said_is_not_kept() {
    let folder = Folder::shipped();
    let policies = folder.open();
    let openai = call("openai", "m", &[]);
    assert!(judged(&active(&policies), &openai).refusal.is_some());
    let text = folder.read("standard-tiers.toml").unwrap();
    folder.write("standard-tiers.toml", text.replace("[\"gemini\"]", "[\"gemini\", \"openai\"]"));
    assert!(policies.reload());
    assert_eq!(judged(&active(&policies), &openai).refusal, None);
}

#[test]
fn an_alert_policy_is_not_asked_below_what_it_calls_quiet() {
    let policies = Folder::shipped().open();
    let set = active(&policies);
    let calls = || metrics(&policies, "threshold-alerts").calls;
    let due =
        |before: u64, after: u64| -> Vec<Alert> { set.alerter().due(&[reading(before, after)]) };
    assert_eq!((due(0, 79), calls()), (vec![], 0));
    assert_eq!((due(79, 80).len(), calls()), (1, 1));
    due(85, 70);
    assert_eq!(calls(), 2, "what a correction takes back is shown as well");
}

#[test]
fn an_alert_policy_that_is_not_quiet_where_it_says_so_is_refused() {
    let folder = Folder::small();
    folder.write("loud.wasm", guest::loud_alert_component());
    folder.write("loud.toml", "kind = \"alert\"\nplugin = \"loud.wasm\"\n");
    let rejection = rejection(&folder.open());
    assert_eq!(rejection.name, "loud");
    let expected = "quiet-below: it raises alerts below that";
    assert!(rejection.reason.contains(expected), "{}", rejection.reason);
}

fn reading(before: u64, after: u64) -> Reading {
    Reading {
        subject: "acme".parse().unwrap(),
        plan: "free".parse().unwrap(),
        quota: "gemini_calls".parse().unwrap(),
        meter: "calls".parse().unwrap(),
        provider: "gemini".parse().ok(),
        window: Window::Month,
        limit: 100.into(),
        before: before.into(),
        after: after.into(),
        raised: vec![],
    }
}
