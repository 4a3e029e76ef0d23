//! What is refused, at which step and in which words.

use tollgate_engine::Kind;

use crate::support::{Folder, guest, rejection, shipped};

/// A complete folder and in it a candidate named `mine`, of this plugin and manifest.
fn with_candidate(plugin: &[u8], manifest: &str) -> Folder {
    let folder = Folder::small();
    folder.write("mine.wasm", plugin);
    folder.write("mine.toml", manifest);
    folder
}

const TIER: &str = "kind = \"tier\"\nplugin = \"mine.wasm\"\n";

#[track_caller]
fn check(folder: &Folder, step: &str, words: &str) {
    let policies = folder.open();
    let rejection = rejection(&policies);
    assert_eq!((rejection.name.as_str(), rejection.step), ("mine", step), "{}", rejection.reason);
    assert!(rejection.reason.contains(words), "{}", rejection.reason);
    assert!(policies.current().is_some(), "the others are active");
}

#[test]
fn a_plugin_of_another_kind_is_named_as_what_it_is() {
    let folder = with_candidate(&shipped("token-pricing.wasm"), TIER);
    check(&folder, "inspected", "is a plugin for pricing policies, and the manifest says tier");
}

#[test]
fn a_core_module_is_told_from_a_component() {
    let folder = with_candidate(&wat::parse_str("(module)").unwrap(), TIER);
    check(&folder, "inspected", "is a core module, not a component");
}

#[test]
fn bytes_that_are_no_plugin_are_refused() {
    check(&with_candidate(b"<html>", TIER), "inspected", "is not a WebAssembly component");
    let mut half = shipped("standard-tiers.wasm");
    half.truncate(half.len() / 2);
    check(&with_candidate(&half, TIER), "inspected", "is not a WebAssembly component");
}

#[test]
fn an_import_other_than_the_log_is_named() {
    let component = r#"(component (import "acme:net/web@1.0.0" (instance)))"#;
    let folder = with_candidate(&wat::parse_str(component).unwrap(), TIER);
    check(&folder, "inspected", "imports acme:net/web@1.0.0");
}

#[test]
fn a_component_that_is_no_policy_says_what_is_missing() {
    let folder = with_candidate(&wat::parse_str("(component)").unwrap(), TIER);
    check(
        &folder,
        "inspected",
        "exports none of tollgate:policy/tiers, prices, adjustments and alerts",
    );
}

#[test]
fn a_policy_whose_answers_differ_is_not_pure() {
    check(&with_candidate(&guest::impure(), TIER), "probed", "different answers");
}

#[test]
fn a_policy_that_faults_in_a_test_call_never_becomes_active() {
    let trap = guest::tier_component("", "(unreachable)");
    check(&with_candidate(&trap, TIER), "probed", "trapped");
}

#[test]
fn a_plugin_that_is_missing_or_too_large_is_refused() {
    let folder = Folder::small();
    folder.write("mine.toml", TIER);
    check(&folder, "verified", "cannot read mine.wasm");
    let large = with_candidate(&vec![0; 1 << 20 | 1], &format!("{TIER}limits.component_mib = 1\n"));
    check(&large, "verified", "mine.wasm has more than 1048576 bytes");
}

#[test]
fn a_plugin_larger_than_32_mib_is_refused_unless_its_manifest_says_otherwise() {
    let large = with_candidate(&vec![0; (32 << 20) + 1], TIER);
    check(&large, "verified", "mine.wasm has more than 33554432 bytes");
}

#[test]
fn a_need_that_no_host_knows_is_named() {
    check(&with_candidate(&guest::needy(), TIER), "probed", "needs `word`, which this host");
}

#[test]
fn a_limit_that_this_host_does_not_have_is_refused() {
    let folder = with_candidate(&guest::hostile(), &format!("{TIER}limits.memory_mib = 4096\n"));
    check(&folder, "verified", "this host allows at most 256");
}

#[test]
fn a_problem_with_the_configuration_is_shown_where_it_stands() {
    let config = "[config]\ndefault_plan = \"a\"\n[[config.plans]]\nid = \"a\"\nname = \"A\"\n\
                  tier = \"free\"\nprice_monthly = \"0\"\nprice_yearly = \"0\"\nquotas = [\n  { name = \"q\", meter = \"calls\", \
                  window = \"fortnight\", limit = 1 },\n]\n";
    let folder = with_candidate(&shipped("standard-tiers.wasm"), &format!("{TIER}{config}"));
    check(&folder, "probed", "mine.toml:12: /plans/0/quotas/0/window: ");
}

#[test]
fn two_policies_cannot_define_the_same_plan() {
    let folder = Folder::shipped();
    let manifest = folder.read("standard-tiers.toml").unwrap();
    folder.write("ztiers.toml", manifest);
    let policies = folder.open();
    let rejection = rejection(&policies);
    assert_eq!((rejection.name.as_str(), rejection.step), ("ztiers", "active"));
    assert!(policies.current().is_some());
}

#[test]
fn a_plugin_that_no_manifest_names_is_looked_at_and_listed() {
    let folder = Folder::small();
    folder.write("waits.wasm", shipped("threshold-alerts.wasm"));
    folder.write("broken.wasm", b"<html>");
    let policies = folder.open();
    let spare = policies.status().spare;
    let files: Vec<_> = spare.iter().map(|plugin| plugin.file.as_str()).collect();
    assert_eq!(files, ["broken.wasm", "waits.wasm"]);
    assert!(spare[0].problem.as_ref().unwrap().contains("is not a WebAssembly component"));
    assert_eq!(spare[1].kind, Some(Kind::Alert));
    assert_eq!(spare[1].api_version.as_deref(), Some("0.1.0"));
    folder.remove("waits.wasm");
    policies.reload();
    assert_eq!(policies.status().spare.len(), 1);
}

#[test]
fn a_price_in_numbers_other_than_in_words_is_refused() {
    let manifest = "kind = \"pricing\"\nplugin = \"mine.wasm\"\n";
    let folder = with_candidate(&guest::contradictory_pricing_component(), manifest);
    check(&folder, "probed", "coded-prices.price: is not what `prices.price` says");
}

#[test]
fn a_policy_that_does_not_say_what_its_rates_come_to_is_refused() {
    let manifest = "kind = \"pricing\"\nplugin = \"mine.wasm\"\n";
    let folder = with_candidate(&guest::contradictory_rates_component(), manifest);
    let why = "call-rates.of-calls-like: does not come to what `prices.estimate` says";
    check(&folder, "probed", why);
}
