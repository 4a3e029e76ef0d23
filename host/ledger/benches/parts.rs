//! What one caller waits for where nothing waits for the disk: checks, and reads of use.
//!
//! `cargo bench -p tollgate-ledger --bench parts`

#![allow(clippy::unwrap_used, reason = "a failed benchmark is a panic")]

#[path = "../tests/ledger/support.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod support;

use std::sync::Arc;
use std::time::Duration;

use divan::Bencher;
use support::*;
use tokio::runtime::Runtime;
use tollgate_domain::{ExpectedCost, PlanBook, Window};
use tollgate_ledger::store::sled::SledStore;
use tollgate_ledger::{Ask, Ledger, Period};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

/// A ledger in which `user-0` has used something every hour of two months.
struct World {
    runtime: Runtime,
    ledger: Ledger<SledStore>,
    plans: PlanBook,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = tempfile::tempdir_in(".").unwrap();
        let store = Arc::new(SledStore::open(folder.path()).unwrap());
        let (ledger, plans) = (Ledger::open(store).unwrap(), plans());
        runtime.block_on(async {
            for hour in 0..60 * 24 {
                let at = noon().minus(Duration::from_secs(hour * 3600));
                record(&ledger, &plans, &report("user-0", None, 5, at), noon()).await.unwrap();
            }
        });
        ledger.tick(None, noon()).unwrap();
        Self { runtime, ledger, plans, _folder: folder }
    }

    fn read(&self, bencher: Bencher<'_, '_>, period: &Period) {
        bencher.bench_local(|| {
            let usage = used(&self.ledger, &self.plans, "user-0", period.clone(), noon());
            self.runtime.block_on(usage)
        });
    }
}

fn plans() -> PlanBook {
    let limits = [("calls", "calls"), ("tokens", "tokens"), ("cost", "cost")];
    let limits = limits.map(|(name, meter)| quota(name, meter, Window::Month, "1000000000"));
    book(vec![plan("free", limits.to_vec())])
}

#[divan::bench]
fn check(bencher: Bencher<'_, '_>) {
    let world = World::new();
    let call = call("user-0", 1);
    let cost = ExpectedCost::Known(price(1));
    let ask = Ask { call: &call, asked: None, cost, plans: &world.plans, revision: "r1" };
    bencher.bench_local(|| {
        let checked = world.ledger.check(&ask, noon(), |_| Default::default());
        world.runtime.block_on(checked).unwrap()
    });
}

#[divan::bench]
fn usage_of_the_current_month(bencher: Bencher<'_, '_>) {
    World::new().read(bencher, &Period::Current);
}

#[divan::bench]
fn usage_of_a_past_month(bencher: Bencher<'_, '_>) {
    World::new().read(bencher, &Period::Of("2024-12".parse().unwrap()));
}

#[divan::bench]
fn usage_of_all_time(bencher: Bencher<'_, '_>) {
    World::new().read(bencher, &Period::AllTime);
}
