//! Shadows and canaries: versions that run beside the active one.

use std::collections::BTreeSet;
use std::sync::Arc;

use tollgate_engine::{MemoryArchive, Policies, ShadowInfo};

use crate::support::{Folder, active, eventually, guest, judge_for, rejection};

/// A folder whose tier policy grants everything, and has a candidate beside it.
fn beside(stage: &str, candidate: &[u8]) -> (Folder, Arc<MemoryArchive>, Arc<Policies>, String) {
    let (folder, archive) = (Folder::small(), Arc::default());
    let policies = folder.resume(&archive);
    let before = active(&policies).revision().to_owned();
    folder.write("next.wasm", candidate);
    folder.write("grants.toml", format!("kind = \"tier\"\nplugin = \"next.wasm\"\n{stage}\n"));
    assert!(!policies.reload(), "what is active is what it was");
    assert_eq!(policies.status().rejected, []);
    assert_eq!(active(&policies).revision(), before);
    (folder, archive, policies, before)
}

const SHADOW: &str = "stage = \"shadow\"";

fn shadow(policies: &Policies) -> ShadowInfo {
    policies.shadow("grants").expect("a candidate runs beside it")
}

fn grants(policies: &Policies, subject: &str) -> bool {
    judge_for(policies, subject, "good").refusal.is_none()
}

#[test]
fn a_shadow_is_asked_and_changes_nothing() {
    let (_folder, _archive, policies, _) = beside(SHADOW, &guest::refusing());
    for _ in 0..30 {
        assert!(grants(&policies, "ann"));
    }
    eventually("all calls are compared", || shadow(&policies).compared == 30);
    let shadow = shadow(&policies);
    assert_eq!((shadow.stage, shadow.agreed, shadow.differed), ("shadow", 0, 30));
    assert_eq!(shadow.differing.len(), 20, "the first ones and the latest");
    let example = &shadow.differing[0];
    assert_eq!(example.subject.as_ref().unwrap().as_str(), "ann");
    assert_eq!(example.active["opinion"]["refusal"], serde_json::Value::Null);
    assert_eq!(example.candidate["opinion"]["refusal"]["reason"], "word");
    assert_eq!(example.input["evaluate"]["call"]["provider"], "good");
    let states: Vec<_> = policies.status().policies.iter().map(|policy| policy.state).collect();
    assert_eq!(states, ["active", "active", "shadow"]);
}

#[test]
fn a_shadow_that_answers_alike_agrees() {
    let same = guest::in_other_bytes(guest::tier_component("", "(i32.const 0)"));
    let (_folder, _archive, policies, _) = beside(SHADOW, &same);
    for _ in 0..10 {
        assert!(grants(&policies, "ann"));
    }
    eventually("all calls are compared", || shadow(&policies).agreed == 10);
    assert_eq!((shadow(&policies).differed, shadow(&policies).differing.len()), (0, 0));
}

#[test]
fn whatever_a_shadow_does_wrong_nobody_notices() {
    let (_folder, _archive, policies, before) = beside(SHADOW, &guest::hostile());
    for subject in ["ann", "bob", "cyd", "dan"] {
        for provider in ["traps", "loops", "memory", "endless", "writes", "utf8", "big"] {
            assert_eq!(judge_for(&policies, subject, provider).refusal, None, "{provider}");
        }
    }
    eventually("all calls are compared", || shadow(&policies).faulted == 28);
    let fault = &shadow(&policies).differing[0].candidate;
    assert_eq!(fault["fault"], "trap");
    assert_eq!(active(&policies).revision(), before);
}

#[test]
fn a_candidate_is_promoted_or_withdrawn_by_its_manifest() {
    let (folder, _archive, policies, before) = beside(SHADOW, &guest::refusing());
    folder.write("grants.toml", "kind = \"tier\"\nplugin = \"grants.wasm\"\n");
    assert!(!policies.reload());
    assert!(policies.shadow("grants").is_none() && grants(&policies, "ann"));
    assert_eq!(active(&policies).revision(), before);
    folder.write("grants.toml", "kind = \"tier\"\nplugin = \"next.wasm\"\n");
    assert!(policies.reload());
    assert!(policies.shadow("grants").is_none() && !grants(&policies, "ann"));
}

#[test]
fn a_candidate_and_what_it_runs_beside_outlive_the_process() {
    let (folder, archive, policies, before) = beside(SHADOW, &guest::refusing());
    drop(policies);
    // Nothing in the folder says any more what was active.
    folder.remove("grants.wasm");
    let policies = folder.resume(&archive);
    assert_eq!(active(&policies).revision(), before);
    assert!(grants(&policies, "ann"));
    eventually("the call is compared", || shadow(&policies).differed == 1);
}

#[test]
fn a_canary_decides_for_its_part_of_the_subjects_and_always_for_the_same() {
    let stage = "stage = \"canary\"\npercent = 30";
    let (folder, _archive, policies, before) = beside(stage, &guest::refusing());
    let subjects: Vec<_> = (0..1_000).map(|i| format!("tenant-{i}")).collect();
    let refused = |policies: &Policies| {
        let refused = subjects.iter().filter(|subject| !grants(policies, subject));
        refused.cloned().collect::<BTreeSet<_>>()
    };
    let first = refused(&policies);
    assert!((250..350).contains(&first.len()), "{}", first.len());
    assert_eq!(refused(&policies), first);
    let of = first.first().unwrap();
    assert!(!grants(&policies, &format!("{of}/user")), "a tenant has one version");

    let revision = |subject: &str| {
        active(&policies).for_subject(&subject.parse().unwrap()).revision().to_owned()
    };
    let others = subjects.iter().find(|subject| !first.contains(*subject)).unwrap();
    assert_eq!(revision(others), before);
    assert_ne!(revision(of), before);

    // More of them: those who had it keep it.
    let more = "stage = \"canary\"\npercent = 60";
    folder.write("grants.toml", format!("kind = \"tier\"\nplugin = \"next.wasm\"\n{more}\n"));
    policies.reload();
    let second = refused(&policies);
    assert!(second.is_superset(&first) && second.len() > first.len());
    eventually("what it decides is compared", || shadow(&policies).differed > 500);
    let shown = shadow(&policies);
    assert_eq!((shown.stage, shown.percent, shown.agreed), ("canary", Some(60), 0));
    let example = &shown.differing[0];
    assert_eq!(example.candidate["opinion"]["refusal"]["reason"], "word");
    assert_eq!(example.active["opinion"]["refusal"], serde_json::Value::Null);
}

#[test]
fn what_a_canary_decided_by_is_a_revision_like_any_other() {
    let (folder, archive, policies, _) =
        beside("stage = \"canary\"\npercent = 100", &guest::refusing());
    let revision = active(&policies).for_subject(&"ann".parse().unwrap()).revision().to_owned();
    assert!(!grants(&policies, "ann"));
    drop(policies);
    folder.remove("next.wasm");
    let policies = folder.resume(&archive);
    assert!(grants(&policies, "ann"), "its file is broken");
    policies.rollback(&revision).unwrap();
    assert!(!grants(&policies, "ann"));
}

#[test]
fn a_canary_that_faults_is_withdrawn_by_itself() {
    let (_folder, _archive, policies, before) =
        beside("stage = \"canary\"\npercent = 100", &guest::hostile());
    for subject in ["ann", "bob", "cyd"] {
        assert!(judge_for(&policies, subject, "traps").refusal.is_some());
    }
    eventually("it is withdrawn", || policies.shadow("grants").is_none());
    assert_eq!(judge_for(&policies, "ann", "traps").refusal, None);
    eventually("the refusal is reported", || !policies.status().rejected.is_empty());
    assert!(rejection(&policies).reason.contains("in quarantine"));
    assert_eq!(active(&policies).revision(), before);
}

#[test]
fn a_candidate_of_nothing_is_refused() {
    let folder = Folder::small();
    folder.write("mine.toml", format!("kind = \"tier\"\nplugin = \"grants.wasm\"\n{SHADOW}\n"));
    let policies = folder.open();
    let why = rejection(&policies);
    assert_eq!((why.name.as_str(), why.step), ("mine", "active"));
    assert!(why.reason.contains("no version of it is active"), "{}", why.reason);
}
