//! A check in process, and its parts: the shipped policies and a ledger on disk, one caller.
//!
//! `cargo bench -p tollgate --bench check`; needs `make build`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed benchmark is a panic"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use divan::Bencher;
use futures_util::FutureExt;
use tollgate_domain::{Call, Metadata, Snapshot, Timestamp, Usage};
use tollgate_engine::{Average, Options, Payer, Policies, PolicySet};
use tollgate_ledger::store::sled::SledStore;
use tollgate_ledger::{Ask, Ledger};

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// 2026-08-01T12:00:00Z.
const AT: Timestamp = Timestamp::from_micros(1_785_585_600_000_000);

fn main() {
    divan::main();
}

/// What `POST /v1/check` comes to without HTTP and JSON.
#[divan::bench]
fn check(bencher: Bencher) {
    let (set, ledger, call) = (set(), Disk::new(), call());
    bencher.bench_local(|| ledger.check(&set, &call));
}

#[divan::bench]
fn estimate(bencher: Bencher) {
    let (set, call) = (set(), call());
    bencher
        .bench_local(|| set.estimate(&call, AT, &Payer::default(), &Average::default()).unwrap());
}

#[divan::bench]
fn judge(bencher: Bencher) {
    let (set, call) = (set(), call());
    let snapshot = Disk::new().check(&set, &call);
    bencher.bench_local(|| set.judge(&call).evaluate(&call, &snapshot, None));
}

#[divan::bench]
fn price(bencher: Bencher) {
    let (set, call) = (set(), call());
    bencher.bench_local(|| set.price(&call, AT, &Payer::default()).unwrap());
}

/// A ledger in a folder of its own.
struct Disk {
    ledger: Ledger<SledStore>,
    _folder: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let store = Arc::new(SledStore::open(folder.path()).unwrap());
        Self { ledger: Ledger::open(store).unwrap(), _folder: folder }
    }

    /// Where the call stands, which all policies were asked about.
    fn check(&self, set: &PolicySet, call: &Call) -> Snapshot {
        let estimate = set.estimate(call, AT, &Payer::default(), &Average::default()).unwrap();
        let call = Call { usage: estimate.usage, ..call.clone() };
        let mut judge = set.judge(&call);
        let (plans, revision) = (set.plans(), set.revision());
        let ask = Ask { call: &call, asked: None, cost: estimate.cost, plans, revision };
        let cost = estimate.cost.known();
        let checked = self.ledger.check(&ask, AT, |snapshot| judge.evaluate(&call, snapshot, cost));
        let decision = checked.now_or_never().expect("a check waits for nothing").unwrap();
        assert!(decision.allowed());
        decision.snapshot
    }
}

fn set() -> Arc<PolicySet> {
    let policies = Policies::open(Options::new(shipped()), Arc::new(|| AT)).expect("it opens");
    let Some(set) = policies.current() else {
        panic!("the policies do not load: {:?}", policies.status().rejected)
    };
    set
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")
}

fn call() -> Call {
    let usage = [("input_tokens", 1_500), ("output_tokens", 400)];
    let usage = usage.map(|(name, amount)| (name.parse().expect("a name"), amount));
    Call {
        subject: "user123".parse().expect("a path"),
        provider: "gemini".parse().expect("an id"),
        model: Some("gemini-2.5-flash".parse().expect("a name")),
        endpoint: None,
        usage: Usage::new(usage).expect("parts within totals"),
        max_tokens: None,
        features: Vec::new(),
        service_tier: None,
        region: None,
        metadata: Metadata::new(),
    }
}
