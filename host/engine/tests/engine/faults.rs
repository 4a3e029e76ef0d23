//! What a hostile policy can do, which is nothing.

use std::sync::Arc;

use tollgate_engine::Policies;

use crate::support::{Folder, active, call, eventually, guest, info, judge, snapshot};

/// Harmless policies and a hostile one.
fn hostile(manifest: &str) -> (Folder, Arc<Policies>) {
    let folder = Folder::small();
    folder.write("hostile.wasm", guest::hostile());
    folder.write("hostile.toml", format!("kind = \"tier\"\nplugin = \"hostile.wasm\"\n{manifest}"));
    let policies = folder.open();
    assert_eq!(policies.status().rejected, []);
    (folder, policies)
}

#[track_caller]
fn check(policies: &Policies, provider: &str, kind: &str) {
    let refusal = judge(policies, provider).refusal.expect("a policy that fails refuses");
    assert_eq!(refusal.reason, "policy_error");
    let faults = info(policies, "hostile").faults_by_kind;
    assert_eq!(faults.get(kind), Some(&1), "{provider}: {faults:?}");
    assert_eq!(judge(policies, "good").refusal, None, "the next call is not affected");
}

#[test]
fn every_way_to_fail_has_its_name_and_harms_no_other_call() {
    let (_folder, policies) = hostile("");
    check(&policies, "loops", "out_of_fuel");
    check(&policies, "memory", "memory");
    check(&policies, "traps", "trap");
    check(&policies, "does-not-exist", "bad_output");
}

#[test]
fn a_reason_that_is_no_text_is_a_bad_output() {
    let (_folder, policies) = hostile("");
    check(&policies, "utf8", "bad_output");
}

#[test]
fn a_number_that_is_none_is_a_bad_output() {
    let (_folder, policies) = hostile("");
    check(&policies, "number", "bad_output");
}

#[test]
fn a_result_of_megabytes_is_a_bad_output() {
    let (_folder, policies) = hostile("");
    check(&policies, "big", "bad_output");
}

#[test]
fn what_a_policy_took_is_counted_under_its_name_and_revision() {
    let (_folder, policies) = hostile("");
    judge(&policies, "good");
    judge(&policies, "loops");
    let metrics = policies.policy_metrics();
    let of = |name: &str| metrics.iter().find(|metrics| metrics.policy == name).unwrap();
    let (bad, good) = (of("hostile"), of("grants"));
    assert_eq!((bad.calls, good.calls), (2, 2));
    assert!(bad.fuel >= 10_000_000 && good.fuel < 1_000_000, "{} {}", bad.fuel, good.fuel);
    assert!(bad.memory_bytes >= 128 << 10 && bad.instances >= 1);
    assert_eq!(bad.revision, info(&policies, "hostile").revision);
    assert!(bad.faults.contains(&("out_of_fuel", 1)) && good.faults.iter().all(|(_, n)| *n == 0));
}

#[test]
fn an_endless_recursion_is_a_trap() {
    let (_folder, policies) = hostile("");
    check(&policies, "endless", "trap");
}

#[test]
fn what_fuel_does_not_stop_the_deadline_does() {
    let (_folder, policies) =
        hostile("limits.fuel_per_call = 9_000_000_000_000_000_000\nlimits.deadline_ms = 30\n");
    check(&policies, "loops", "deadline");
}

#[test]
fn a_flood_of_log_lines_ends_with_the_fuel() {
    let (_folder, policies) = hostile("");
    check(&policies, "writes", "out_of_fuel");
}

#[test]
fn a_policy_that_may_fail_goes_without_an_opinion() {
    let (_folder, policies) = hostile("on_failure = \"allow\"\n");
    assert_eq!(judge(&policies, "traps").refusal, None);
    assert_eq!(info(&policies, "hostile").faults, 1);
}

#[test]
fn more_requests_than_instances_can_wait_at_once() {
    let (_folder, policies) = hostile("");
    let set = active(&policies);
    let snapshot = snapshot(set.plans(), None);
    let mut judges: Vec<_> = (0..1_000).map(|_| set.judge(&call("good", "m", &[]))).collect();
    for judge in &mut judges {
        let opinion = judge.evaluate(&call("good", "m", &[]), &snapshot, None);
        assert_eq!(opinion.refusal, None);
    }
    assert_eq!(info(&policies, "hostile").faults, 0);
}

#[test]
fn a_fault_never_poisons_the_pool() {
    let (_folder, policies) = hostile("limits.fuel_per_call = 100_000\n");
    std::thread::scope(|scope| {
        for provider in ["traps", "loops", "memory", "does-not-exist"] {
            let policies = &policies;
            scope.spawn(move || {
                for _ in 0..200 {
                    assert!(judge(policies, provider).refusal.is_some());
                    assert_eq!(judge(policies, "good").refusal, None);
                }
            });
        }
    });
    let info = info(&policies, "hostile");
    assert_eq!((info.calls, info.faults), (1_600, 800));
}

#[test]
fn who_uses_up_an_instance_leaves_another_for_the_next() {
    let (_folder, policies) = hostile("");
    let instances = || {
        let metrics = policies.policy_metrics();
        metrics.into_iter().find(|metrics| metrics.policy == "hostile").unwrap().instances
    };
    let before = instances();
    for _ in 0..50 {
        assert!(judge(&policies, "traps").refusal.is_some());
    }
    eventually("what was used up is there again", || instances() >= before);
}
