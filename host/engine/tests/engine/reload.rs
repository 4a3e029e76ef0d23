//! How one set follows another.

use std::sync::Arc;

use tollgate_engine::Payer;

use crate::support::{Folder, NOW, UNPRICED, active, call, guest, info, judge, rejection};

const USED: [(&str, u64); 2] = [("input_tokens", 1_000_000), ("output_tokens", 0)];

fn cost(set: &tollgate_engine::PolicySet) -> String {
    let call = call("gemini", "gemini-2.5-flash", &USED);
    set.price(&call, NOW, &Payer::default()).unwrap().unwrap().cost.to_string()
}

#[test]
fn an_edited_price_is_used_by_the_next_set_and_never_by_the_one_before() {
    let folder = Folder::shipped();
    let policies = folder.open();
    let before = active(&policies);
    assert_eq!(cost(&before), "0.125");

    folder.edit("token-pricing.toml", "input_tokens = \"0.125\"", "input_tokens = \"0.135\"");
    assert!(policies.reload());
    let after = active(&policies);
    assert_eq!(cost(&after), "0.135");
    assert_eq!(cost(&before), "0.125", "a request keeps the set that it took");
    assert_ne!(before.revision(), after.revision());

    folder.edit("token-pricing.toml", "input_tokens = \"0.135\"", "input_tokens = \"0.125\"");
    assert!(policies.reload());
    assert_eq!(active(&policies).revision(), before.revision(), "the same bytes, the same name");
    assert!(!policies.reload());
}

#[test]
fn refusal_is_by_name_and_everything_else_goes_in() {
    let folder = Folder::shipped();
    let policies = folder.open();
    folder.edit("token-pricing.toml", "input_tokens = \"0.125\"", "input_tokens = \"0.135\"");
    folder.edit("standard-tiers.toml", "limit = 100_000", "limit = -1");
    assert!(policies.reload());
    assert_eq!(cost(&active(&policies)), "0.135");
    assert_eq!(rejection(&policies).name, "standard-tiers");
    let free = "free".parse().unwrap();
    assert!(active(&policies).plans().get(&free).is_some(), "the last good version stays");
}

#[test]
fn a_broken_manifest_changes_nothing_and_is_explained_with_file_and_line() {
    let folder = Folder::small();
    let policies = folder.open();
    let before = active(&policies);

    folder.write("unpriced.toml", format!("{UNPRICED}x = 1\n"));
    assert!(!policies.reload());
    assert!(Arc::ptr_eq(&active(&policies), &before));
    let why = rejection(&policies);
    assert_eq!((why.name.as_str(), why.step), ("unpriced", "verified"));
    assert_eq!(why.reason, "unpriced.toml:3: unknown key `x`");
    let note = folder.read("unpriced.rejected.txt").unwrap();
    assert!(note.contains(&why.reason), "{note}");

    folder.write("unpriced.toml", UNPRICED);
    assert!(!policies.reload(), "it is what it was");
    assert_eq!(policies.status().rejected, []);
    assert_eq!(folder.read("unpriced.rejected.txt"), None);
}

#[test]
fn a_plugin_replaced_by_garbage_keeps_the_last_good() {
    let folder = Folder::small();
    let policies = folder.open();
    let before = active(&policies);
    folder.write("grants.wasm", b"\0asm garbage");
    assert!(!policies.reload());
    assert!(Arc::ptr_eq(&active(&policies), &before));
    assert_eq!(judge(&policies, "any").refusal, None);
    assert_eq!(rejection(&policies).step, "inspected");
}

#[test]
fn a_replaced_plugin_decides_the_next_call() {
    let folder = Folder::small();
    let policies = folder.open();
    assert_eq!(judge(&policies, "any").refusal, None);
    let refuses = "(call $refuse (i32.const 512) (i32.const 0)) (i32.const 256)";
    folder.write("grants.wasm", guest::tier_component("", refuses));
    assert!(policies.reload());
    assert_eq!(judge(&policies, "any").refusal.unwrap().reason, "word");
}

#[test]
fn a_policy_that_did_not_change_keeps_its_instances_and_counters() {
    let folder = Folder::small();
    let policies = folder.open();
    judge(&policies, "any");
    folder.write("unpriced.toml", format!("{UNPRICED}priority = 1\n"));
    assert!(policies.reload());
    assert_eq!(info(&policies, "grants").calls, 1);
}

#[test]
fn an_incomplete_folder_is_no_error_and_says_what_is_missing() {
    let (folder, complete) = (Folder::empty(), Folder::small());
    let copy = |file| folder.write(file, std::fs::read(complete.path().join(file)).unwrap());
    let policies = folder.open();
    assert!(policies.current().is_none());
    assert_eq!(rejection(&policies).reason, "there is no tier policy that could be active");

    copy("grants.toml");
    copy("unpriced.toml");
    assert!(!policies.reload());
    assert!(
        policies.status().rejected.iter().any(|r| r.reason.contains("cannot read grants.wasm"))
    );

    copy("grants.wasm");
    copy("unpriced.wasm");
    assert!(policies.reload());
    assert_eq!(policies.status().rejected, []);
}

#[test]
fn a_deleted_manifest_retires_its_policy_only_if_the_rest_is_complete() {
    let folder = Folder::small();
    folder.write("more.toml", "kind = \"tier\"\nplugin = \"grants.wasm\"\n");
    let policies = folder.open();
    assert_eq!(policies.status().policies.len(), 3);
    folder.remove("grants.toml");
    assert!(policies.reload());
    assert_eq!(policies.status().policies.len(), 2);

    folder.remove("more.toml");
    assert!(!policies.reload());
    assert_eq!(judge(&policies, "any").refusal, None);
    let why = rejection(&policies);
    assert_eq!((why.name.as_str(), why.step), ("more", "active"));
    assert!(why.reason.contains("it stays"), "{}", why.reason);
}

#[test]
fn a_folder_that_cannot_be_read_keeps_what_is_active() {
    let folder = Folder::small();
    let policies = folder.open();
    let away = folder.path().with_extension("away");
    std::fs::rename(folder.path(), &away).unwrap();
    assert!(!policies.reload());
    assert!(rejection(&policies).reason.contains("cannot read the folder"));
    assert_eq!(judge(&policies, "any").refusal, None);
    std::fs::rename(&away, folder.path()).unwrap();
    policies.reload();
    assert_eq!(policies.status().rejected, []);
}
