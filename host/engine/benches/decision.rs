//! How long a warm policy takes: `cargo bench --profile release -p tollgate-engine`.
//!
//! Prints the median and the 99th percentile of single calls through the public interface, with
//! the shipped policies. Measures on one thread; run it on an idle machine.

#![allow(clippy::expect_used, clippy::panic, reason = "a failed benchmark is a panic")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_domain::{
    Calendar, Call, LevelState, Metadata, PlanBook, QuotaState, Reading, Snapshot, Status,
    Timestamp, Usage, Window,
};
use tollgate_engine::{Average, Options, Payer, Policies};

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// 2026-08-01T12:00:00Z.
const AT: Timestamp = Timestamp::from_micros(1_785_585_600_000_000);
const ROUNDS: usize = 200_000;

fn main() {
    let policies = Policies::open(Options::new(shipped()), Arc::new(|| AT)).expect("it opens");
    let Some(set) = policies.current() else {
        panic!("the policies do not load: {:?}", policies.status().rejected)
    };
    let call = call();
    let snapshot = snapshot(set.plans());
    let readings = [reading()];

    measure("judge", || drop(black_box(set.judge(&call))));
    measure("judge and evaluate, 2 quotas", || {
        drop(black_box(set.judge(&call).evaluate(&call, &snapshot, None)));
    });
    measure("price, 2 charges", || drop(black_box(set.price(&call, AT, &Payer::default()))));
    measure("estimate", || {
        drop(black_box(set.estimate(&call, AT, &Payer::default(), &Average::default())))
    });
    measure("alerter and due, 1 reading", || {
        drop(black_box(set.alerter().due(&readings)));
    });
    measure_crowd();
    measure_reload();
    for policy in policies.status().policies {
        assert_eq!(policy.faults, 0, "{} failed", policy.name);
    }
}

/// A check that three policies concern, alone and among a hundred.
fn measure_crowd() {
    for others in [0, 97] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let copy = |file: &str| {
            std::fs::copy(shipped().join(file), folder.path().join(file)).expect("a copy");
        };
        for file in ["token-pricing.toml", "token-pricing.wasm", "standard-tiers.wasm"] {
            copy(file);
        }
        for i in 0..3 + others {
            let provider = if i < 3 { "gemini".to_owned() } else { format!("other-{i}") };
            let text = format!(
                "kind = \"tier\"\nplugin = \"standard-tiers.wasm\"\n\
                 applies_to.providers = [\"{provider}\"]\n"
            );
            std::fs::write(folder.path().join(format!("tier-{i}.toml")), text).expect("a manifest");
        }
        let policies =
            Policies::open(Options::new(folder.path()), Arc::new(|| AT)).expect("it opens");
        let set = policies.current().expect("the policies load");
        let (call, snapshot) = (call(), Snapshot { at: AT, levels: Vec::new() });
        measure(&format!("judge, 3 of {} policies", 3 + others), || {
            drop(black_box(set.judge(&call).evaluate(&call, &snapshot, None)));
        });
    }
}

/// From a manifest that was saved to the set that uses it, without the wait for quiet: reading the
/// folder, and configuring and probing what changed. And the same with everything to be compiled.
fn measure_reload() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in std::fs::read_dir(shipped()).expect("the shipped policies").flatten() {
        if file.path().is_file() {
            std::fs::copy(file.path(), folder.path().join(file.file_name())).expect("a copy");
        }
    }
    let started = Instant::now();
    let policies = Policies::open(Options::new(folder.path()), Arc::new(|| AT)).expect("it opens");
    println!("{:32} {:?}", "open, everything compiled", started.elapsed());
    let prices = folder.path().join("token-pricing.toml");
    let text = std::fs::read_to_string(&prices).expect("the shipped prices");
    std::fs::write(&prices, text + "\n# edited\n").expect("an edit");
    let started = Instant::now();
    assert!(policies.reload());
    println!("{:32} {:?}", "reload, a changed manifest", started.elapsed());
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")
}

fn measure(what: &str, mut once: impl FnMut()) {
    for _ in 0..ROUNDS / 10 {
        once();
    }
    let mut times: Vec<Duration> = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        once();
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let at = |percent: usize| times[ROUNDS * percent / 100].as_nanos();
    println!("{what:32} median {:>6} ns, 99 % {:>6} ns", at(50), at(99));
}

fn call() -> Call {
    let usage = [("input_tokens", 1_500), ("output_tokens", 400)];
    Call {
        subject: "acme/ann".parse().expect("a path"),
        provider: "gemini".parse().expect("an id"),
        model: Some("gemini-2.5-flash".parse().expect("a name")),
        endpoint: None,
        usage: Usage::new(usage.map(|(name, n)| (name.parse().expect("a name"), n)))
            .expect("parts within totals"),
        max_tokens: None,
        features: Vec::new(),
        service_tier: None,
        region: None,
        metadata: Metadata::new(),
    }
}

/// The default plan on the wider level, nothing on the narrower one.
fn snapshot(plans: &PlanBook) -> Snapshot {
    let plan = plans.default_plan().expect("a default plan");
    let quotas = plan.quotas.iter().map(|quota| QuotaState {
        name: quota.name.clone(),
        meter: quota.meter.clone(),
        mode: quota.mode,
        window: quota.window,
        limit: quota.limit,
        grace_percent: quota.grace_percent,
        used: 17.into(),
        reserved: 3.into(),
        requested: Some(1.into()),
        unpriced: false,
        resets_at: None,
    });
    let root = LevelState {
        subject: "acme".parse().expect("a path"),
        calendar: Calendar::default(),
        plan: Some(plan.id.clone()),
        terms: Some(plan.clone()),
        status: Status::Active,
        quotas: quotas.collect(),
    };
    let leaf = LevelState {
        subject: "acme/ann".parse().expect("a path"),
        plan: None,
        terms: None,
        quotas: Vec::new(),
        ..root.clone()
    };
    Snapshot { at: AT, levels: vec![root, leaf] }
}

fn reading() -> Reading {
    Reading {
        subject: "acme/ann".parse().expect("a path"),
        plan: "free".parse().expect("an id"),
        quota: "gemini_calls".parse().expect("a name"),
        meter: "calls".parse().expect("a meter"),
        provider: Some("gemini".parse().expect("an id")),
        window: Window::Month,
        limit: 100.into(),
        before: 17.into(),
        after: 18.into(),
        raised: Vec::new(),
    }
}
