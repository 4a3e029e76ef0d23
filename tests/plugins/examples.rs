use std::fs;

use super::{can_build, good, root, shell};

/// Builds an example, and puts its cases to it.
fn check(name: &str, language: &str) {
    if !can_build(language) {
        return;
    }
    let script = format!(
        "plugins/examples/build.sh {name} >&2\n\
         tollgate plugin test plugins/target/examples/{name}/{name}.toml"
    );
    let shown = good(shell(&root(), &script).env_remove("CARGO_TARGET_DIR").output().unwrap());
    assert!(shown.contains(" cases passed"), "{shown}");
}

#[test]
fn weekend_burst() {
    check("weekend-burst", "rust");
}

#[test]
fn margin() {
    check("margin", "rust");
}

#[test]
fn model_allowlist() {
    check("model-allowlist", "c");
}

#[test]
fn team_share() {
    check("team-share", "javascript");
}

#[test]
fn spend_rise() {
    check("spend-rise", "python");
}

/// Those above are all that there are.
#[test]
fn every_example_is_tested() {
    let entries = fs::read_dir(root().join("plugins/examples")).unwrap();
    let entries = entries.map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    let mut names: Vec<_> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    let tested = ["margin", "model-allowlist", "spend-rise", "team-share", "weekend-burst"];
    assert_eq!(names, tested);
}
