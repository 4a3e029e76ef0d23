//! What the ledger does alone: durable operations a second with many callers.
//!
//! `cargo bench -p tollgate-ledger --bench ledger`

#![allow(clippy::unwrap_used, reason = "a failed benchmark is a panic")]
#![allow(clippy::float_arithmetic, reason = "rates, not money")]

#[path = "../tests/ledger/support.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use support::*;
use tollgate_domain::{PlanBook, Window};
use tollgate_ledger::Ledger;
use tollgate_ledger::store::sled::SledStore;

const CALLERS: usize = 128;
const SECONDS: Duration = Duration::from_secs(5);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir_in(".").unwrap();
        let store = Arc::new(SledStore::open(folder.path()).unwrap());
        let ledger = Arc::new(Ledger::open(store).unwrap());
        let plans = Arc::new(plans());
        for subjects in [1, 1_000] {
            let record = run(CALLERS, |caller, i| {
                let (ledger, plans) = (ledger.clone(), plans.clone());
                async move {
                    let path = format!("user-{}", (caller * 7919 + i) % subjects);
                    let report = report(&path, None, 1, noon());
                    record(&ledger, &plans, &report, noon()).await.unwrap();
                }
            });
            println!("record, {CALLERS} callers, {subjects} subjects: {:.0}/s", record.await);
            let settle = run(CALLERS, |caller, i| {
                let (ledger, plans) = (ledger.clone(), plans.clone());
                async move {
                    let path = format!("user-{}", (caller * 7919 + i) % subjects);
                    let hold = reserve(&ledger, &plans, &path, 1, MINUTES, noon()).await;
                    let hold = hold.reservation.unwrap();
                    let report = report(&path, None, 1, noon());
                    settle(&ledger, &plans, hold.id, &report, noon()).await.unwrap();
                }
            });
            println!("reserve and settle, {subjects} subjects: {:.0} pairs/s", settle.await);
        }
        let before = Instant::now();
        ledger.tick(None, noon()).unwrap();
        println!("one round of maintenance after all that: {:?}", before.elapsed());
    });
}

fn plans() -> PlanBook {
    book(vec![plan(
        "free",
        vec![
            quota("calls", "calls", Window::Month, "1000000000"),
            quota("tokens", "tokens", Window::Month, "1000000000"),
            quota("cost", "cost", Window::Month, "1000000000"),
        ],
    )])
}

/// How often a second `callers` get `work` done.
async fn run<F: Future<Output = ()> + Send + 'static>(
    callers: usize,
    work: impl Fn(usize, usize) -> F,
) -> f64 {
    let work = |caller, i| work(caller, i);
    let started = Instant::now();
    let mut done = 0_u32;
    while started.elapsed() < SECONDS {
        let round: Vec<_> =
            (0..callers).map(|caller| tokio::spawn(work(caller, done as usize))).collect();
        for task in round {
            task.await.unwrap();
        }
        done += 1;
    }
    f64::from(done) * callers as f64 / started.elapsed().as_secs_f64()
}
