//! What the shipped policies answer.

use std::sync::{Arc, LazyLock};

use tollgate_domain::{Amount, ExpectedCost, Reading, Usd, Window};
use tollgate_engine::{Average, Payer, Policies, Rejected};

use crate::support::{Folder, NOW, active, call, info, snapshot};

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

static SHIPPED: LazyLock<Arc<Policies>> = LazyLock::new(|| Folder::shipped().open());

#[test]
fn a_call_costs_the_exact_sum_of_its_charges() {
    let set = active(&SHIPPED);
    let used = [("input_tokens", 1_500), ("output_tokens", 400)];
    let quote = set
        .price(&call("gemini", "gemini-2.5-flash", &used), NOW, &Payer::default())
        .unwrap()
        .unwrap();
    // 1,500 at 0.125 and 400 at 0.375 dollars a million.
    assert_eq!(quote.cost, usd("0.0003375"));
    assert_eq!(quote.charges.len(), 2);
}

#[test]
fn what_nobody_prices_has_no_cost_and_keeps_its_usage() {
    let set = active(&SHIPPED);
    let call = call("nobody", "nothing", &[("input_tokens", 5)]);
    assert_eq!(set.price(&call, NOW, &Payer::default()), Ok(None));
    let estimate = set.estimate(&call, NOW, &Payer::default(), &Average::default()).unwrap();
    assert_eq!((estimate.usage, estimate.cost), (call.usage, ExpectedCost::Unpriced));
}

#[test]
fn the_usage_in_a_providers_answer_is_found() {
    let set = active(&SHIPPED);
    let answer = r#"{"modelVersion":"gemini-2.5-flash",
        "usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":3,"totalTokenCount":15}}"#;
    let gemini = "gemini".parse().unwrap();
    let found = set.extract(&gemini, "default", answer, None).unwrap().unwrap();
    assert_eq!(found.usage.get("input_tokens"), Some(12));
    assert_eq!(found.usage.get("output_tokens"), Some(3));
    let Rejected { code, .. } = set.extract(&gemini, "default", "{}", None).unwrap_err();
    assert_eq!(code, "no_usage");
}

#[test]
fn the_catalog_lists_what_is_priced() {
    let set = active(&SHIPPED);
    let catalog = set.catalog();
    let flash = catalog.iter().find(|line| line.model == "gemini-2.5-flash").unwrap();
    assert_eq!(flash.provider.as_str(), "gemini");
    let input = flash.rates.iter().find(|(quantity, _)| quantity.as_str() == "input_tokens");
    assert_eq!(input.unwrap().1, usd("0.000000125"));
    assert_eq!(flash.effective, Some("2025-01-01T00:00:00Z".parse().unwrap()));
}

#[test]
fn a_plan_refuses_a_provider_that_it_does_not_sell() {
    let policies = Folder::shipped().open();
    let set = active(&policies);
    let snapshot = snapshot(set.plans(), Some("free"));
    let judge = |provider| {
        let call = call(provider, "m", &[]);
        set.judge(&call).evaluate(&call, &snapshot, None)
    };
    assert_eq!(judge("gemini").refusal, None);
    let refused = judge("openai").refusal.unwrap();
    assert_eq!((refused.reason.as_str(), refused.level), ("not_in_plan", 0));
    assert_eq!(info(&policies, "standard-tiers").calls, 2);
}

#[test]
fn an_alert_is_due_from_its_threshold_on_until_it_was_raised() {
    let set = active(&SHIPPED);
    let mut alerter = set.alerter();
    let mut due = |after: u64, raised: &[u32]| {
        let reading = Reading {
            subject: "acme".parse().unwrap(),
            plan: "free".parse().unwrap(),
            quota: "gemini_calls".parse().unwrap(),
            meter: "calls".parse().unwrap(),
            provider: Some("gemini".parse().unwrap()),
            window: Window::Month,
            limit: 100.into(),
            before: Amount::ZERO,
            after: after.into(),
            raised: raised.to_vec(),
        };
        let alerts = alerter.due(&[reading]);
        assert!(alerts.iter().all(|alert| alert.quota.as_str() == "gemini_calls"));
        alerts.iter().map(|alert| alert.threshold).collect::<Vec<_>>()
    };
    assert_eq!(due(79, &[]), [] as [u32; 0]);
    assert!(due(80, &[]).contains(&80));
    assert_eq!(due(85, &[80]), [] as [u32; 0]);
}

#[test]
fn what_a_request_takes_along_can_wait_on_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    let set = active(&SHIPPED);
    is_send(&set);
    is_send(&set.judge(&call("gemini", "m", &[])));
    is_send(&set.alerter());
}

#[test]
fn a_policy_is_called_only_for_what_it_applies_to() {
    let folder = Folder::shipped();
    folder.edit(
        "standard-tiers.toml",
        "[config]",
        "[applies_to]\nproviders = [\"x*\"]\n\n[config]",
    );
    let policies = folder.open();
    let set = active(&policies);
    let snapshot = snapshot(set.plans(), Some("free"));
    let judge = |provider| {
        let call = call(provider, "m", &[]);
        set.judge(&call).evaluate(&call, &snapshot, None)
    };
    assert_eq!(judge("openai").refusal, None);
    assert_eq!(info(&policies, "standard-tiers").calls, 0);
    assert!(judge("xai").refusal.is_some());
}

#[test]
fn among_many_policies_each_is_asked_about_what_it_applies_to_and_no_other() {
    let folder = Folder::small();
    folder.remove("grants.toml");
    let write = |name: &str, providers: &str| {
        let text = format!(
            "kind = \"tier\"\nplugin = \"grants.wasm\"\napplies_to.providers = {providers}\n"
        );
        folder.write(&format!("{name}.toml"), text);
    };
    for i in 0..30 {
        write(&format!("own-{i}"), &format!("[\"p{i}\", \"q{i}\"]"));
    }
    write("pattern", "[\"p1*\"]");
    write("all", "[]");
    let policies = folder.open();
    assert_eq!(policies.status().rejected, []);
    let set = active(&policies);
    let snapshot = snapshot(set.plans(), None);
    for (provider, asked) in [
        ("p1", vec!["all", "own-1", "pattern"]),
        ("q1", vec!["all", "own-1"]),
        ("p19", vec!["all", "own-19", "pattern"]),
        ("p199", vec!["all", "pattern"]),
        ("nobody", vec!["all"]),
    ] {
        let before = policies.status().policies;
        let call = call(provider, "m", &[]);
        assert_eq!(set.judge(&call).evaluate(&call, &snapshot, None).refusal, None);
        let after = policies.status().policies;
        let called = before.iter().zip(&after).filter(|(b, a)| b.calls != a.calls);
        let called: Vec<_> = called.map(|(policy, _)| policy.name.as_str()).collect();
        assert_eq!(called, asked, "{provider}");
    }
}
