//! What a policy that misbehaves costs others: how long calls to a good one take, alone and while
//! another thread calls a hostile one without a pause. The rounds take turns, so that a noisy
//! machine is noisy to both; what counts is the ratio.
//!
//! `cargo bench -p tollgate-engine --bench hostile`

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed benchmark is a panic"
)]
#![allow(clippy::float_arithmetic, reason = "ratios of durations, not money")]
#![allow(dead_code, reason = "the tests' support has more than is used here")]

#[path = "../tests/engine/support/mod.rs"]
mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tollgate_engine::Policies;

use support::{Folder, active, call, guest, judge, snapshot};

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 20;
const CALLS: usize = 5_000;

fn main() {
    let folder = Folder::shipped();
    folder.write("hostile.wasm", guest::hostile());
    folder.write("hostile.toml", "kind = \"tier\"\nplugin = \"hostile.wasm\"\n");
    let policies = folder.open();
    assert_eq!(policies.status().rejected, []);
    println!(
        "{:<12} {:>9} {:>9} {:>9} {:>9}  p99 ratio",
        "guest", "p50", "p50 alone", "p99", "p99 alone"
    );
    for provider in ["loops", "endless", "memory", "traps", "writes", "utf8", "number", "big"] {
        let (mut with, mut alone) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            alone.extend(calls(&policies));
            let stop = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        assert!(judge(&policies, provider).refusal.is_some());
                    }
                });
                with.extend(calls(&policies));
                stop.store(true, Ordering::Relaxed);
            });
        }
        let at = |durations: &mut Vec<Duration>, percent: usize| {
            durations.sort();
            durations[durations.len() * percent / 100]
        };
        let [p50, p99] = [50, 99].map(|percent| at(&mut with, percent));
        let [p50_alone, p99_alone] = [50, 99].map(|percent| at(&mut alone, percent));
        let ratio = p99.as_secs_f64() / p99_alone.as_secs_f64();
        println!(
            "{provider:<12} {p50:>9.1?} {p50_alone:>9.1?} {p99:>9.1?} {p99_alone:>9.1?}  {ratio:.2}"
        );
    }
}

/// How long each of many calls to a good policy takes.
fn calls(policies: &Policies) -> Vec<Duration> {
    let set = active(policies);
    let snapshot = snapshot(set.plans(), Some("free"));
    let call = call("gemini", "gemini-2.5-flash", &[("input_tokens", 1_000)]);
    let timed = (0..CALLS).map(|_| {
        let started = Instant::now();
        assert_eq!(set.judge(&call).evaluate(&call, &snapshot, None).refusal, None);
        started.elapsed()
    });
    timed.collect()
}
