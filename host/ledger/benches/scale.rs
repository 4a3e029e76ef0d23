//! What history and numbers cost: reads after many events beside reads after few, starts, and
//! memory with many subjects, touched and idle.
//!
//! `cargo bench -p tollgate-ledger --bench scale -- [EVENTS [SUBJECTS]]`; the defaults, ten
//! million and one million, take some minutes and 10 GB.

#![allow(clippy::unwrap_used, reason = "a failed benchmark is a panic")]
#![allow(clippy::float_arithmetic, reason = "ratios, not money")]

#[path = "../tests/ledger/support.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use support::*;
use tollgate_domain::{Calendar, ExpectedCost, PlanBook, Timestamp, Window};
use tollgate_ledger::store::sled::SledStore;
use tollgate_ledger::{Ask, Ledger, LogFilter, Period};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As many as a busy service has connections.
const CALLERS: u64 = 256;

/// Subjects that the events are shared among: few enough that each has some on every day, and
/// more than a page of its log, where there are few events.
const SUBJECTS: u64 = 100;

const READS: u32 = 20_000;

/// What is asked, each timed by itself.
const QUESTIONS: [&str; 6] = [
    "check",
    "usage now",
    "usage of the month before",
    "a trend of 36 months",
    "the days of a projection",
    "a page of the log",
];

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let [folder, events] = &arguments[..]
        && Path::new(folder).is_dir()
    {
        return runtime.block_on(record_and_abort(Path::new(folder), events.parse().unwrap()));
    }
    let number = |at: usize, default| arguments.get(at).map_or(default, |arg| arg.parse().unwrap());
    let (events, subjects) = (number(0, 10_000_000), number(1, 1_000_000));
    runtime.block_on(async {
        history(events).await;
        many_subjects(subjects).await;
    });
}

async fn history(events: u64) {
    const FEW: u64 = 10_000;
    let (few, many) = (tempfile::tempdir_in(".").unwrap(), tempfile::tempdir_in(".").unwrap());
    let (mut ledgers, plans) = (Vec::new(), Arc::new(plans()));
    for (folder, events) in [(&few, FEW), (&many, events)] {
        let ledger = open(folder.path());
        let begun = Instant::now();
        record_many(&ledger, &plans, 0..events).await;
        let rate = events as f64 / begun.elapsed().as_secs_f64();
        println!("{events} events with names recorded, {rate:.0}/s; {} MiB resident", resident());
        ledger.tick(None, noon()).unwrap();
        ledgers.push(ledger);
    }
    let medians = reads(&ledgers, &plans).await;
    for (question, [few, many]) in QUESTIONS.into_iter().zip(medians) {
        let ratio = many.as_secs_f64() / few.as_secs_f64();
        println!(
            "{question}: {few:?} after {FEW} events, {many:?} after {events}, {ratio:.2} times"
        );
    }
    for ledger in ledgers {
        let begun = Instant::now();
        ledger.close(noon()).unwrap();
        drop(ledger);
        println!("closed in {:?}", begun.elapsed());
    }
    start(many.path(), "closed");
    let crash = Command::new(std::env::current_exe().unwrap())
        .args([many.path().as_os_str(), events.to_string().as_ref()])
        .status();
    assert!(!crash.unwrap().success(), "it aborts");
    start(many.path(), "killed while recording");
}

fn start(folder: &Path, how_it_ended: &str) {
    let begun = Instant::now();
    let store = SledStore::open(folder).unwrap();
    println!("start, {how_it_ended}: {:?}, {} MiB resident", begun.elapsed(), resident());
    drop(store);
}

/// What a service does that is killed under load.
async fn record_and_abort(folder: &Path, from: u64) {
    let (ledger, plans) = (open(folder), Arc::new(plans()));
    record_many(&ledger, &plans, from..from + 200_000).await;
    std::process::abort();
}

async fn many_subjects(subjects: u64) {
    let folder = tempfile::tempdir_in(".").unwrap();
    let (ledger, plans) = (open(folder.path()), Arc::new(plans()));
    let before = resident();
    let begun = Instant::now();
    let now = move || noon().plus(begun.elapsed());
    let writers = (0..CALLERS).map(|caller| {
        let (ledger, plans) = (ledger.clone(), plans.clone());
        tokio::spawn(async move {
            for subject in (caller..subjects).step_by(CALLERS as usize) {
                let report = report(&format!("subject-{subject}"), None, 5, now());
                record(&ledger, &plans, &report, now()).await.unwrap();
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut highest = 0;
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        tick(&ledger, &plans, now()).await;
        highest = highest.max(resident());
    }
    println!(
        "{subjects} subjects touched in {:?}: {highest} MiB resident at most, {before} before",
        begun.elapsed()
    );
    for minutes in 0..20 {
        tick(&ledger, &plans, now().plus(minutes * MINUTES)).await;
    }
    // The allocator gives back what nobody uses a while later, as it is called.
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        tick(&ledger, &plans, now().plus(21 * MINUTES)).await;
    }
    println!("  {} MiB after they are idle", resident());
}

async fn tick(ledger: &Arc<Ledger<SledStore>>, plans: &Arc<PlanBook>, now: Timestamp) {
    let (ledger, plans) = (ledger.clone(), plans.clone());
    let tick = tokio::task::spawn_blocking(move || ledger.tick(Some(&plans), now));
    tick.await.unwrap().unwrap();
}

async fn record_many(
    ledger: &Arc<Ledger<SledStore>>,
    plans: &Arc<PlanBook>,
    events: std::ops::Range<u64>,
) {
    let ticking = {
        let ledger = ledger.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let ledger = ledger.clone();
                tokio::task::spawn_blocking(move || ledger.tick(None, noon()))
                    .await
                    .unwrap()
                    .unwrap();
            }
        })
    };
    let writers = (0..CALLERS).map(|caller| {
        let (ledger, plans, events) = (ledger.clone(), plans.clone(), events.clone());
        tokio::spawn(async move {
            for event in (events.start + caller..events.end).step_by(CALLERS as usize) {
                let path = format!("user-{}", event % SUBJECTS);
                // Two months of history, the latest last.
                let ago = (events.end - event) * 2 * 30 * 24 * 3600 / events.end;
                let at = noon().minus(Duration::from_secs(ago));
                let report = report(&path, Some(&format!("event-{event}")), 5, at);
                record(&ledger, &plans, &report, noon()).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    ticking.abort();
}

/// The median of each question, put to each ledger in turns: the machine is not always as fast.
async fn reads(ledgers: &[Arc<Ledger<SledStore>>], plans: &PlanBook) -> Vec<[Duration; 2]> {
    let call = call("user-7", 1);
    let cost = ExpectedCost::Known(price(1));
    let ask = Ask { call: &call, asked: None, cost, plans, revision: "r1" };
    let past = Period::Of("2024-12".parse().unwrap());
    let level = subject("user-7");
    let months =
        (2022..2025).flat_map(|year| (1..=12).map(move |month| format!("{year}-{month:02}")));
    let months: Vec<_> = months.map(|month| Period::Of(month.parse().unwrap())).collect();
    let ask_of = async |ledger: &Ledger<SledStore>, question| match question {
        0 => drop(ledger.check(&ask, noon(), |_| Default::default()).await.unwrap()),
        1 => drop(used(ledger, plans, "user-7", Period::Current, noon()).await),
        2 => drop(used(ledger, plans, "user-7", past.clone(), noon()).await),
        3 => {
            for month in &months {
                drop(used(ledger, plans, "user-7", month.clone(), noon()).await);
            }
        }
        4 => drop(ledger.days(&level, 56, &Calendar::default(), noon()).unwrap()),
        _ => drop(ledger.log(&level, &LogFilter::default(), 0, 50).unwrap()),
    };
    let mut times = vec![[(); 2].map(|()| Vec::new()); QUESTIONS.len()];
    for round in 0..READS {
        for (question, times) in times.iter_mut().enumerate() {
            // Who is asked first finds less of the program in the processor's caches.
            let turns = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            for turn in turns {
                let begun = Instant::now();
                ask_of(&ledgers[turn], question).await;
                times[turn].push(begun.elapsed());
            }
        }
    }
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    times.into_iter().map(|both| both.map(median)).collect()
}

fn open(folder: &Path) -> Arc<Ledger<SledStore>> {
    let store = Arc::new(SledStore::open(folder).unwrap());
    Arc::new(Ledger::open(store).unwrap())
}

fn plans() -> PlanBook {
    book(vec![plan(
        "free",
        vec![
            quota("calls", "calls", Window::Month, "1000000000"),
            quota("tokens", "tokens", Window::Day, "1000000000"),
            quota("cost", "cost", Window::Month, "1000000000"),
        ],
    )])
}

/// Memory of this process, in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}
