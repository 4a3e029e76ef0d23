//! How soon a change is seen, however it is made.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tollgate_engine::Policies;

use crate::support::{Folder, UNPRICED, active};

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
