//! Compilation in a process of its own, which may fail in every way.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_engine::{Compiling, Options, Policies, Rejection};

use crate::support::{Folder, NOW};

/// Why nothing was compiled by this program.
fn refused(program: &str, arguments: &[&str]) -> Rejection {
    refused_after(Duration::from_secs(60), program, arguments)
}

fn refused_after(patience: Duration, program: &str, arguments: &[&str]) -> Rejection {
    let (folder, cache) = (Folder::small(), Folder::empty());
    let compiling = Compiling {
        program: program.into(),
        arguments: arguments.iter().map(OsString::from).collect(),
        folder: Some(cache.path().join("compiled")),
        seconds_max: 1,
        patience,
        memory_mib_max: 100,
    };
    let options = Options { compiling: Some(compiling), ..Options::new(folder.path()) };
    let policies = Policies::open(options, Arc::new(|| NOW)).unwrap();
    assert!(policies.current().is_none());
    assert_eq!(policies.engine_metrics().compiled, 0);
    let mut rejected = policies.status().rejected;
    let grants = rejected.iter().position(|rejection| rejection.name == "grants").unwrap();
    rejected.swap_remove(grants)
}

#[test]
fn a_compiler_that_takes_for_ever_is_ended() {
    let started = Instant::now();
    let why = refused_after(Duration::from_secs(1), "/bin/sleep", &["1000"]);
    assert_eq!(why.step, "compiled");
    assert!(why.reason.contains("takes for ever to compile"), "{}", why.reason);
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_compiler_that_fails_is_told_from_one_that_refuses() {
    let failed = refused("/bin/sh", &["-c", "echo ouch >&2; exit 7"]).reason;
    assert!(failed.contains("ended with exit status: 7: ouch"), "{failed}");
    let refuses = refused("/bin/sh", &["-c", "cat >/dev/null; echo no such type >&2; exit 3"]);
    assert_eq!(refuses.reason, "no such type");
    let killed = refused("/bin/sh", &["-c", "kill -ABRT $$"]).reason;
    assert!(killed.contains("cannot be compiled in 100 MiB of memory"), "{killed}");
    let slow = refused("/bin/sh", &["-c", "kill -XCPU $$"]).reason;
    assert!(slow.contains("takes more than 1 s of processor time"), "{slow}");
}

#[test]
fn a_compiler_that_writes_something_else_is_not_believed() {
    let why = refused("/bin/echo", &["hello"]);
    assert_eq!(why.step, "compiled");
}

#[test]
fn a_compiler_that_is_not_there_is_the_hosts_fault() {
    let why = refused("/nowhere/compiler", &[]);
    assert!(why.reason.contains("cannot start the compiler"), "{}", why.reason);
}
