//! How soon a change is seen, however it is made.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tollgate_engine::{Options, Policies};

use crate::support::{Folder, NOW, UNPRICED, active, guest, info, judge};

/// The promise is about half a second; the rest is for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(5);

#[track_caller]
fn expect_change(policies: &Arc<Policies>, how: &str, change: impl FnOnce()) {
    let before = active(policies).revision().to_owned();
    let started = Instant::now();
    change();
    while active(policies).revision() == before {
        assert!(
            started.elapsed() < PATIENCE,
            "{how} was not seen: {:?}",
            policies.status().rejected
        );
        thread::sleep(Duration::from_millis(10));
    }
}

#[track_caller]
fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < PATIENCE, "waited for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The manifest with another priority.
fn manifest(priority: u32) -> String {
    format!("{UNPRICED}priority = {priority}\n")
}

#[test]
fn an_editors_rename_and_a_copy_over_the_file_are_seen() {
    let folder = Folder::small();
    let policies = folder.open();
    let _watch = policies.watch().unwrap();
    expect_change(&policies, "a rename", || {
        folder.write("unpriced.toml~new", manifest(5));
        let path = folder.path().join("unpriced.toml");
        fs::rename(folder.path().join("unpriced.toml~new"), path).unwrap();
    });
    expect_change(&policies, "a copy", || {
        let elsewhere = Folder::empty();
        elsewhere.write("manifest", manifest(6));
        let path = folder.path().join("unpriced.toml");
        fs::copy(elsewhere.path().join("manifest"), path).unwrap();
    });
}

#[test]
fn a_swapped_symlink_is_seen() {
    let folder = Folder::small();
    let data = |version: &str| folder.path().join(format!("..{version}"));
    for (version, priority) in [("v1", 5), ("v2", 6)] {
        fs::create_dir(data(version)).unwrap();
        fs::write(data(version).join("unpriced.toml"), manifest(priority)).unwrap();
    }
    // As Kubernetes mounts a ConfigMap.
    symlink("..v1", data("data")).unwrap();
    folder.remove("unpriced.toml");
    symlink("..data/unpriced.toml", folder.path().join("unpriced.toml")).unwrap();
    let policies = folder.open();
    let _watch = policies.watch().unwrap();
    expect_change(&policies, "a swapped symlink", || {
        symlink("..v2", data("tmp")).unwrap();
        fs::rename(data("tmp"), data("data")).unwrap();
    });
}

#[test]
fn a_slow_copy_ends_in_the_whole_file_and_is_never_taken_by_halves() {
    let folder = Folder::small();
    let policies = folder.open();
    let _watch = policies.watch().unwrap();
    let plugin = guest::in_other_bytes(guest::tier_component("", "(i32.const 0)"));
    expect_change(&policies, "a slow copy", || {
        let mut file = fs::File::create(folder.path().join("grants.wasm")).unwrap();
        for piece in plugin.chunks(plugin.len() / 6) {
            file.write_all(piece).unwrap();
            file.flush().unwrap();
            // Longer than the folder must be quiet: halves are looked at, and refused.
            thread::sleep(Duration::from_millis(400));
            assert_eq!(judge(&policies, "any").refusal, None);
        }
    });
    let digest = format!("{:x}", <sha2::Sha256 as sha2::Digest>::digest(&plugin));
    assert_eq!(info(&policies, "grants").plugin_digest, digest);
    wait_for("the refusals to be forgotten", || policies.status().rejected.is_empty());
}

#[test]
fn a_file_that_is_moved_away_and_another_moved_in_are_seen() {
    let folder = Folder::small();
    let policies = folder.open();
    let _watch = policies.watch().unwrap();
    let elsewhere = Folder::empty();
    elsewhere.write("unpriced.toml", manifest(7));
    expect_change(&policies, "a move", || {
        let path = folder.path().join("unpriced.toml");
        fs::rename(&path, elsewhere.path().join("old.toml")).unwrap();
        fs::rename(elsewhere.path().join("unpriced.toml"), path).unwrap();
    });
}

#[test]
fn the_swap_of_a_whole_folder_is_seen_and_so_are_changes_after_it() {
    let folder = Folder::small();
    for (version, priority) in [("v1", 1), ("v2", 2)] {
        let data = folder.path().join(version);
        fs::create_dir(&data).unwrap();
        for file in ["grants.toml", "grants.wasm", "unpriced.wasm"] {
            fs::copy(folder.path().join(file), data.join(file)).unwrap();
        }
        fs::write(data.join("unpriced.toml"), manifest(priority)).unwrap();
    }
    let current = folder.path().join("current");
    symlink("v1", &current).unwrap();
    let options = Options::new(&current);
    let policies = Policies::open(options, Arc::new(|| NOW)).unwrap();
    let _watch = policies.watch().unwrap();
    expect_change(&policies, "another folder", || {
        let next = folder.path().join("next");
        symlink("v2", &next).unwrap();
        fs::rename(&next, &current).unwrap();
    });
    expect_change(&policies, "a change in the new folder", || {
        fs::write(folder.path().join("v2/unpriced.toml"), manifest(3)).unwrap();
    });
    assert_eq!(policies.status().rejected, []);
}

#[test]
fn a_touch_changes_nothing() {
    let folder = Folder::small();
    let policies = folder.open();
    let before = active(&policies);
    let looks = policies.engine_metrics().looks;
    let _watch = policies.watch().unwrap();
    folder.write("unpriced.toml", UNPRICED);
    let touched = fs::File::options().append(true).open(folder.path().join("grants.wasm"));
    touched.unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    wait_for("the folder to be looked at", || policies.engine_metrics().looks > looks);
    assert!(Arc::ptr_eq(&active(&policies), &before));
    assert_eq!(policies.engine_metrics().activations, 1);
}

#[test]
fn two_hundred_changes_in_a_second_end_in_the_last_one_and_few_looks() {
    let folder = Folder::small();
    let policies = folder.open();
    let _watch = policies.watch().unwrap();
    for priority in 1..=200 {
        folder.write("unpriced.toml", manifest(priority));
        assert_eq!(judge(&policies, "any").refusal, None);
        thread::sleep(Duration::from_millis(5));
    }
    let elsewhere = Folder::small();
    elsewhere.write("unpriced.toml", manifest(200));
    let last = active(&elsewhere.open()).revision().to_owned();
    wait_for("the last change to be active", || active(&policies).revision() == last);
    assert_eq!(policies.status().rejected, []);
    let looks = policies.engine_metrics().looks;
    assert!(looks < 50, "{looks} looks");
}

#[test]
fn looking_does_not_wake_the_one_who_looks() {
    let folder = Folder::small();
    let policies = folder.open();
    let watch = policies.watch().unwrap();
    folder.write("broken.toml", "kind");
    let started = Instant::now();
    while policies.status().rejected.is_empty() {
        assert!(started.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(10));
    }
    let note = folder.path().join("broken.rejected.txt");
    let written = || fs::metadata(&note).and_then(|file| file.modified()).ok();
    let first = written();
    thread::sleep(Duration::from_millis(900));
    assert!(first.is_some() && written() == first, "the note is written once");
    drop(watch);
}

#[test]
fn a_watch_ends_when_it_is_dropped() {
    let folder = Folder::small();
    let policies = folder.open();
    let watch = policies.watch().unwrap();
    drop(watch);
    folder.write("unpriced.toml", manifest(5));
    let before = active(&policies).revision().to_owned();
    thread::sleep(Duration::from_millis(700));
    assert_eq!(active(&policies).revision(), before);
}
