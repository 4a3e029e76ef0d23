//! Policies that turn out to be bad once they are active.

use std::sync::Arc;

use tollgate_engine::{Cause, MemoryArchive, Options, Policies};

use crate::support::{Folder, StillClock, active, eventually, guest, info, judge_for, rejection};

/// A folder in which `grants` was a good policy, and has become a hostile one.
struct Trial {
    folder: Folder,
    archive: Arc<MemoryArchive>,
    clock: StillClock,
    policies: Arc<Policies>,
    good: String,
}

fn trial() -> Trial {
    let (folder, archive, clock) = (Folder::small(), Arc::default(), StillClock::default());
    let policies = resume(&folder, &archive, &clock);
    let good = active(&policies).revision().to_owned();
    folder.write("grants.wasm", guest::hostile());
    assert!(policies.reload());
    assert_ne!(active(&policies).revision(), good);
    Trial { folder, archive, clock, policies, good }
}

fn resume(folder: &Folder, archive: &Arc<MemoryArchive>, clock: &StillClock) -> Arc<Policies> {
    Policies::resume(Options::new(folder.path()), clock.now(), archive.clone()).unwrap()
}

impl Trial {
    /// A call of each subject on which the hostile policy traps.
    fn trap(&self, subjects: &[&str]) {
        for subject in subjects {
            judge_for(&self.policies, subject, "traps");
        }
    }

    fn is_good(&self) -> bool {
        active(&self.policies).revision() == self.good
    }

    #[track_caller]
    fn stays_bad(&self) {
        // Whatever was to be done is done before this is.
        self.policies.reload();
        assert!(!self.is_good());
    }
}

#[test]
fn faults_of_three_tenants_bring_the_last_good_version_back() {
    let trial = trial();
    trial.trap(&["ann", "bob", "cyd"]);
    eventually("the last good version comes back", || trial.is_good());
    assert_eq!(judge_for(&trial.policies, "ann", "traps").refusal, None);
    let step = trial.policies.revisions(None, 1).unwrap().remove(0);
    assert_eq!(step.cause, Cause::Faults);
    assert!(step.reason.contains("grants: 3 of its 3 calls failed (trap 3)"), "{}", step.reason);

    eventually("the refusal is reported", || !trial.policies.status().rejected.is_empty());
    let why = rejection(&trial.policies);
    assert_eq!((why.name.as_str(), why.step), ("grants", "active"));
    assert!(why.reason.contains("in quarantine until its bytes change"), "{}", why.reason);
    assert!(trial.folder.read("grants.rejected.txt").is_some());
}

#[test]
fn a_version_in_quarantine_stays_there_until_its_bytes_change() {
    let trial = trial();
    trial.trap(&["ann", "bob", "cyd"]);
    eventually("the last good version comes back", || trial.is_good());
    trial.folder.write("grants.wasm", guest::hostile());
    trial.policies.reload();
    assert!(trial.is_good(), "the same bytes again");
    let again = resume(&trial.folder, &trial.archive, &trial.clock);
    assert_eq!(active(&again).revision(), trial.good, "also after a start");
    trial.folder.write("grants.wasm", guest::in_other_bytes(guest::hostile()));
    assert!(trial.policies.reload());
    assert!(!trial.is_good());
}

#[test]
fn whoever_wants_a_version_from_quarantine_goes_back_to_it() {
    let trial = trial();
    let bad = active(&trial.policies).revision().to_owned();
    trial.trap(&["ann", "bob", "cyd"]);
    eventually("the last good version comes back", || trial.is_good());
    trial.policies.rollback(&bad).unwrap();
    trial.stays_bad();
}

#[test]
fn one_tenant_with_a_poisonous_input_is_refused_alone_and_the_input_kept() {
    let trial = trial();
    for user in 0..100 {
        let refused = judge_for(&trial.policies, &format!("ann/user-{user}"), "traps").refusal;
        assert_eq!(refused.unwrap().reason, "policy_error");
        assert_eq!(judge_for(&trial.policies, "bob", "good").refusal, None);
    }
    trial.trap(&["bob"]);
    trial.stays_bad();
    let kept = trial.policies.kept_inputs("grants");
    assert!((1..=16).contains(&kept.len()), "{}", kept.len());
    let last = &kept[0];
    assert_eq!(last.kind, "trap");
    assert!(last.subject.as_ref().unwrap().as_str().starts_with("ann/"));
    assert_eq!(last.input["evaluate"]["call"]["provider"], "traps");
    assert_eq!(last.plugin_digest, info(&trial.policies, "grants").plugin_digest);
}

#[test]
fn a_policy_that_fails_less_than_once_in_a_hundred_calls_stays() {
    let trial = trial();
    for _ in 0..400 {
        judge_for(&trial.policies, "dan", "good");
    }
    trial.trap(&["ann", "bob", "cyd"]);
    trial.stays_bad();
}

#[test]
fn a_policy_that_was_good_for_ten_minutes_stays() {
    let trial = trial();
    trial.clock.pass(601);
    trial.trap(&["ann", "bob", "cyd", "dan"]);
    trial.stays_bad();
    assert_eq!(info(&trial.policies, "grants").faults, 4);
}

#[test]
fn where_there_is_nothing_to_go_back_to_a_policy_stays() {
    let (folder, archive, clock) = (Folder::small(), Arc::default(), StillClock::default());
    folder.write("grants.wasm", guest::hostile());
    let policies = resume(&folder, &archive, &clock);
    let good = String::new();
    let trial = Trial { folder, archive, clock, policies, good };
    trial.trap(&["ann", "bob", "cyd"]);
    trial.stays_bad();
    assert!(trial.policies.current().is_some());
}

#[test]
fn a_new_name_that_fails_goes_and_the_others_stay() {
    let (folder, archive, clock) = (Folder::small(), Arc::default(), StillClock::default());
    let policies = resume(&folder, &archive, &clock);
    let good = active(&policies).revision().to_owned();
    folder.write("more.wasm", guest::hostile());
    folder.write("more.toml", "kind = \"tier\"\nplugin = \"more.wasm\"\n");
    assert!(policies.reload());
    let trial = Trial { folder, archive, clock, policies, good };
    trial.trap(&["ann", "bob", "cyd"]);
    eventually("the set is what it was", || trial.is_good());
}

#[test]
fn a_policy_that_keeps_something_between_calls_is_found_out_and_taken_back() {
    let (folder, archive, clock) = (Folder::small(), Arc::default(), StillClock::default());
    let policies = resume(&folder, &archive, &clock);
    let good = active(&policies).revision().to_owned();
    folder.write("grants.wasm", guest::impure_after(500));
    assert!(policies.reload(), "no probe is that long");
    for _ in 0..3_000 {
        judge_for(&policies, "ann", "good");
        if active(&policies).revision() == good {
            break;
        }
    }
    eventually("the last good version comes back", || active(&policies).revision() == good);
    assert_eq!(policies.kept_inputs("grants")[0].kind, "impure");
    assert!(
        policies.revisions(None, 1).unwrap()[0].reason.contains("keeps something between calls")
    );
}

#[test]
fn what_is_pure_is_asked_again_and_nothing_comes_of_it() {
    let folder = Folder::small();
    let policies = folder.open();
    let metrics = |policies: &Policies| policies.policy_metrics().remove(0);
    let rechecks = || metrics(&policies).rechecks;
    let mut calls = 0;
    eventually("calls are asked again", || {
        for _ in 0..1_000 {
            judge_for(&policies, "ann", "good");
        }
        calls += 1_000;
        rechecks() >= 2
    });
    let metrics = metrics(&policies);
    assert_eq!((metrics.policy.as_str(), metrics.calls), ("grants", calls));
    assert!(metrics.faults.iter().all(|(_, count)| *count == 0));
}
