use std::fs;

use tempfile::TempDir;

use super::{bad, can_build, good, shell};

/// Makes a plugin, builds it, and runs the tests that it came with.
fn check(kind: &str, language: &str) {
    if !can_build(language) {
        return;
    }
    let own_tests = if language == "rust" { "cargo test --quiet >&2" } else { "" };
    let script = format!(
        "tollgate plugin new --kind {kind} --language {language} my-{kind}\n\
         cd my-{kind}\n\
         {own_tests}\n\
         ./build.sh >&2\n\
         tollgate plugin test my-{kind}.toml"
    );
    let folder = TempDir::new().unwrap();
    let shown = good(shell(folder.path(), &script).output().unwrap());
    assert!(shown.contains(" cases passed"), "{shown}");
}

// `readme` has the plugins for tiers in each language, and `examples` has one for alerts in Python.

#[test]
fn pricing_in_rust() {
    check("pricing", "rust");
}

#[test]
fn adjustment_in_rust() {
    check("adjustment", "rust");
}

#[test]
fn adjustment_in_c() {
    check("adjustment", "c");
}

#[test]
fn adjustment_in_javascript() {
    check("adjustment", "javascript");
}

#[test]
fn adjustment_in_python() {
    check("adjustment", "python");
}

#[test]
fn alert_in_rust() {
    check("alert", "rust");
}

#[test]
fn pricing_in_c() {
    check("pricing", "c");
}

#[test]
fn alert_in_c() {
    check("alert", "c");
}

#[test]
fn pricing_in_javascript() {
    check("pricing", "javascript");
}

#[test]
fn alert_in_javascript() {
    check("alert", "javascript");
}

#[test]
fn pricing_in_python() {
    check("pricing", "python");
}

#[test]
fn what_is_there_is_never_overwritten_and_a_name_must_be_one() {
    let folder = TempDir::new().unwrap();
    let new = |name: &str| {
        let script = format!("tollgate plugin new --kind tier '{name}'");
        shell(folder.path(), &script).output().unwrap()
    };
    good(new("mine"));
    assert!(bad(new("mine")).contains("mine is there already"));
    for name in ["Mine", "9", "a_b", "../x", "-x", "x-"] {
        bad(new(name));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
