//! What was active is kept, and can be active again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tollgate_engine::{Archive, ArchiveError, Cause, MemoryArchive, Options, Policies};

use crate::support::{Folder, NOW, UNPRICED, active, guest, judge, rejection};

fn refuses() -> Vec<u8> {
    guest::tier_component("", "(call $refuse (i32.const 512) (i32.const 0)) (i32.const 256)")
}

fn grants(policies: &Policies) -> bool {
    judge(policies, "any").refusal.is_none()
}

fn revision(policies: &Policies) -> String {
    active(policies).revision().to_owned()
}

/// A folder whose only tier policy granted everything and then refuses everything, with both
/// revisions.
fn changed(archive: &Arc<MemoryArchive>) -> (Folder, Arc<Policies>, [String; 2]) {
    let folder = Folder::small();
    let policies = folder.resume(archive);
    let first = revision(&policies);
    folder.write("grants.wasm", refuses());
    assert!(policies.reload());
    let revisions = [first, revision(&policies)];
    (folder, policies, revisions)
}

#[test]
fn a_start_goes_on_from_what_was_active_whatever_became_of_the_folder() {
    let archive = Arc::default();
    let folder = Folder::small();
    let before = revision(&folder.resume(&archive));
    for spoil in [
        |folder: &Folder| folder.write("grants.wasm", b"\0asm garbage"),
        |folder: &Folder| folder.write("unpriced.toml", "kind = "),
        |folder: &Folder| folder.remove("grants.toml"),
        |folder: &Folder| std::fs::remove_dir_all(folder.path()).unwrap(),
    ] {
        spoil(&folder);
        let policies = folder.resume(&archive);
        assert_eq!(revision(&policies), before);
        assert!(grants(&policies));
        assert_ne!(policies.status().rejected, []);
    }
    assert!(
        Policies::open(Options::new(folder.path()), Arc::new(|| NOW)).unwrap().current().is_none()
    );
}

#[test]
fn a_start_takes_what_has_changed_meanwhile() {
    let archive = Arc::default();
    let folder = Folder::small();
    assert!(grants(&folder.resume(&archive)));
    folder.write("grants.wasm", refuses());
    assert!(!grants(&folder.resume(&archive)));
}

#[test]
fn every_revision_can_be_gone_back_to_and_decides_as_it_did() {
    let archive = Arc::default();
    let (_folder, policies, [first, second]) = changed(&archive);
    for (to, granted) in [(&first, true), (&second, false), (&first, true), (&first, true)] {
        policies.rollback(to).unwrap();
        assert_eq!((&revision(&policies), grants(&policies)), (to, granted));
    }
}

#[test]
fn the_history_tells_what_was_active_why_and_of_which_bytes() {
    let archive = Arc::default();
    let (_folder, policies, [first, second]) = changed(&archive);
    policies.rollback(&first).unwrap();
    let history = policies.revisions(None, 10).unwrap();
    let told: Vec<_> =
        history.iter().map(|step| (step.revision.as_str(), step.cause, step.active)).collect();
    let expected = [
        (first.as_str(), Cause::Rollback, true),
        (second.as_str(), Cause::Folder, false),
        (first.as_str(), Cause::Folder, false),
    ];
    assert_eq!(told, expected);
    assert_eq!(history[0].held, ["grants"]);
    let digest = |step: usize| history[step].policies[0].plugin_digest.clone();
    assert_eq!((digest(0) == digest(2), digest(0) == digest(1)), (true, false));
    assert_eq!(policies.revisions(None, 1).unwrap().len(), 1);
}

#[test]
fn a_rollback_stays_until_a_files_bytes_change_and_only_for_that_file() {
    let archive = Arc::default();
    let (folder, policies, [first, _]) = changed(&archive);
    policies.rollback(&first).unwrap();
    let why = rejection(&policies);
    assert_eq!((why.name.as_str(), why.step), ("grants", "active"));
    assert!(why.reason.contains("held back by a rollback"), "{}", why.reason);
    assert!(folder.read("grants.rejected.txt").unwrap().contains(&first));

    // The same bytes again are no change.
    folder.write("grants.wasm", refuses());
    assert!(!policies.reload());
    // Another policy's change is taken.
    folder.write("unpriced.toml", format!("{UNPRICED}priority = 1\n"));
    assert!(policies.reload());
    assert!(grants(&policies));
    // And so is a change of this one.
    folder.write("grants.toml", "kind = \"tier\"\nplugin = \"grants.wasm\"\n# again\n");
    assert!(policies.reload());
    assert!(!grants(&policies));
    assert_eq!(policies.status().rejected, []);
}

#[test]
fn a_rollback_outlives_the_process() {
    let archive = Arc::default();
    let (folder, policies, [first, _]) = changed(&archive);
    policies.rollback(&first).unwrap();
    drop(policies);
    let policies = folder.resume(&archive);
    assert_eq!(revision(&policies), first);
    folder.write("grants.toml", "kind = \"tier\"\nplugin = \"grants.wasm\"\n# again\n");
    assert!(policies.reload());
    assert!(!grants(&policies));
}

#[test]
fn names_that_come_or_go_are_held_back_as_well() {
    let folder = Folder::small();
    let policies = folder.open();
    let first = revision(&policies);
    folder.write("more.toml", "kind = \"tier\"\nplugin = \"grants.wasm\"\n");
    folder.remove("grants.toml");
    assert!(policies.reload());
    policies.rollback(&first).unwrap();
    let names = |policies: &Policies| {
        let policies = policies.status().policies;
        policies.into_iter().map(|policy| policy.name).collect::<Vec<_>>()
    };
    assert!(!policies.reload());
    assert_eq!(names(&policies), ["grants", "unpriced"]);
    folder.write("grants.toml", "kind = \"tier\"\nplugin = \"grants.wasm\"\n# it is back\n");
    assert!(policies.reload());
    assert_eq!(names(&policies), ["grants", "unpriced"]);
}

#[test]
fn a_revision_that_never_was_is_named() {
    let policies = Folder::small().open();
    let error = policies.rollback("0123").unwrap_err();
    assert_eq!(error.to_string(), "there is no revision `0123`");
}

#[test]
fn what_cannot_be_kept_is_not_used() {
    struct Full(MemoryArchive, AtomicBool);
    impl Archive for Full {
        fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
            match self.1.load(Ordering::Relaxed) {
                true => Err(ArchiveError("no space left".into())),
                false => self.0.keep(name, bytes),
            }
        }
        fn find(&self, name: &str) -> Result<Option<Vec<u8>>, ArchiveError> {
            self.0.find(name)
        }
        fn names(&self, prefix: &str) -> Result<Vec<String>, ArchiveError> {
            self.0.names(prefix)
        }
    }
    let archive = Arc::new(Full(MemoryArchive::default(), AtomicBool::new(false)));
    let folder = Folder::small();
    let options = Options::new(folder.path());
    let policies = Policies::resume(options, Arc::new(|| NOW), archive.clone()).unwrap();
    archive.1.store(true, Ordering::Relaxed);
    folder.write("grants.wasm", refuses());
    assert!(!policies.reload());
    assert!(grants(&policies));
    assert!(rejection(&policies).reason.contains("no space left"));
    archive.1.store(false, Ordering::Relaxed);
    assert!(policies.reload());
    assert!(!grants(&policies));
}
