//! What is acknowledged is there after a power cut, at whatever moment, whatever of the rest the
//! disk has kept.
//!
//! A binary of its own, since it stands between the program and the C library.

#![cfg(target_os = "linux")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a failed test is a panic")]

mod disk;
#[allow(dead_code, unused_imports, reason = "a few of its words are not needed here")]
#[path = "../ledger/support.rs"]
mod support;

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tollgate_domain::{Alert, ChannelKind, PlanBook, Preferences, Reading, Timestamp, Window};
use tollgate_ledger::store::Store;
use tollgate_ledger::store::sled::SledStore;
use tollgate_ledger::{
    AlertId, DeliveryId, DeliveryState, Ledger, Outcome, Progress, ReservationId, Turn, forgettable,
};

use support::*;

/// Cuts after which a history ends, and another begins with an empty folder.
const CUTS_A_HISTORY: u64 = 12;

const WRITERS: usize = 6;

const PATHS: [&str; 4] = ["acme", "acme/ann", "acme/bob", "zoe"];

/// How much was acknowledged so far, for the cut to note.
static ACKNOWLEDGED: AtomicUsize = AtomicUsize::new(0);

/// Something that the ledger said it has done.
#[derive(Clone, Debug)]
enum Fact {
    Recorded {
        path: &'static str,
        event: String,
        tokens: u64,
    },
    Once {
        key: String,
    },
    Held(ReservationId),
    Settled(ReservationId),
    /// An event raised alerts, and each is on its way.
    Alerted(AlertId),
    Sent(DeliveryId),
}

impl Fact {
    fn is_in(&self, store: &SledStore) -> bool {
        match self {
            Self::Recorded { path, event, tokens } => {
                let id = store.event_by_key(&subject(path), &event.parse().unwrap()).unwrap();
                let event = id.and_then(|id| store.event(id).unwrap());
                event.is_some_and(|event| event.report.usage == usage(*tokens))
            }
            Self::Once { key } => !store.marked(&once(key, "").key, noon()).unwrap().is_empty(),
            Self::Held(id) => store.reservation(*id).unwrap().is_some(),
            Self::Settled(id) => store
                .reservation(*id)
                .unwrap()
                .is_some_and(|held| matches!(held.outcome, Outcome::Settled { .. })),
            Self::Alerted(alert) => store.deliveries_of(*alert).unwrap().len() == 2,
            Self::Sent(id) => store
                .delivery(*id)
                .unwrap()
                .is_some_and(|delivery| delivery.state == DeliveryState::Sent),
        }
    }
}

/// What was acknowledged since the last start, in this order.
#[derive(Default)]
struct Facts(Mutex<Vec<Fact>>);

impl Facts {
    fn add(&self, fact: Fact) {
        let mut facts = self.0.lock().unwrap();
        facts.push(fact);
        ACKNOWLEDGED.store(facts.len(), Ordering::SeqCst);
    }
}

fn plans() -> PlanBook {
    book(vec![plan("free", vec![quota("calls", "calls", Window::Month, "1000000000")])])
}

#[test]
fn what_is_acknowledged_is_there_after_a_power_cut_at_any_moment() {
    let cuts = number("TOLLGATE_POWER_CUTS").unwrap_or(60);
    let first_seed = number("TOLLGATE_POWER_SEED").unwrap_or_else(|| fastrand::u64(..));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let mut unsynced = 0;
    for history in 0..cuts.div_ceil(CUTS_A_HISTORY) {
        let seed = first_seed.wrapping_add(history);
        unsynced += runtime.block_on(live_through(seed, CUTS_A_HISTORY.min(cuts)));
    }
    assert!(cuts < 10 || unsynced > 0, "no cut has ever met anything that was not synced");
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|number| number.parse().unwrap())
}

/// Warns each time.
fn warn(readings: &[Reading]) -> Vec<Alert> {
    let due = |reading: &Reading| Alert {
        subject: reading.subject.clone(),
        quota: reading.quota.clone(),
        provider: None,
        limit: reading.limit,
        threshold: 1 + reading.raised.len() as u32,
        kind: "usage_warning".into(),
        severity: "info".into(),
        title: String::new(),
        message: String::new(),
    };
    readings.iter().map(due).collect()
}

/// Lives through cuts of the power, and counts the bytes that were at stake.
async fn live_through(seed: u64, cuts: u64) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut folder = tempfile::tempdir().unwrap();
    let mut known: Vec<Fact> = Vec::new();
    let mut unsynced = 0;
    for round in 0..cuts {
        let said = format!("TOLLGATE_POWER_SEED={seed}, cut {round}");
        let facts = Arc::new(Facts::default());
        ACKNOWLEDGED.store(0, Ordering::SeqCst);
        disk::attach(folder.path(), 1 << random.u64(..12));
        work(folder.path(), &facts, round, random.fork()).await;
        let cut = disk::detach();
        unsynced += cut.unsynced_bytes();

        let after = tempfile::tempdir().unwrap();
        cut.leave(after.path(), &mut random);
        folder = after;
        let facts = Arc::into_inner(facts).unwrap().0.into_inner().unwrap();
        let (certain, uncertain) = facts.split_at(cut.acknowledged);
        let store = match SledStore::open(folder.path()) {
            Ok(store) => store,
            Err(error) => panic!("{said}: {error}\n{:?}", disk::listing(folder.path())),
        };
        known.extend_from_slice(certain);
        for fact in &known {
            assert!(fact.is_in(&store), "{fact:?} is lost, {said}");
        }
        known.extend(uncertain.iter().filter(|fact| fact.is_in(&store)).cloned());
        let mut events = HashSet::new();
        for block in store.blocks() {
            for (_, fact) in store.facts_of(block).unwrap() {
                let tollgate_ledger::store::Fact::Event(event) = fact else { continue };
                let report = &event.report;
                let first = report.key.is_none()
                    || events.insert((report.subject.clone(), report.key.clone()));
                assert!(first, "{event:?} is there twice, {said}");
            }
        }
        let verified = store.verify(&forgettable(noon()), |_, _| {});
        assert_eq!(verified.differences, [], "{said}");
    }
    unsynced
}

/// Uses the ledger in a folder until the power is cut, or for a while.
async fn work(folder: &Path, facts: &Arc<Facts>, round: u64, mut random: fastrand::Rng) {
    let ledger = Arc::new(Ledger::open(Arc::new(SledStore::open(folder).unwrap())).unwrap());
    let now = noon().plus(Duration::from_secs(60 * round));
    let emails = vec!["ann@example.com".parse().unwrap()];
    let preferences = Preferences { emails, log: true, ..Preferences::default() };
    // Where the power is cut before, nobody is told, and nobody says so.
    let told = ledger.prefer(None, Some(preferences), now).await.is_ok() && !disk::is_cut();
    // Now and then everything comes to rest before the cut.
    let steps = if random.u8(..8) == 0 { random.usize(..50) } else { usize::MAX };
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..WRITERS {
        let (ledger, facts, random) = (ledger.clone(), facts.clone(), random.fork());
        let mut writer = Writer { ledger, facts, plans: plans(), now, told, random };
        writers.spawn(async move {
            for step in 0..steps {
                if disk::is_cut() {
                    break;
                }
                writer.step(&format!("{round}-{number}-{step}")).await;
            }
        });
    }
    let at_work = Arc::new(());
    let (condensing, until) = (ledger.clone(), Arc::downgrade(&at_work));
    let condense = tokio::task::spawn_blocking(move || {
        while until.strong_count() > 0 {
            condensing.tick(None, now).unwrap();
            std::thread::sleep(Duration::from_millis(random.u64(..20)));
        }
        random
    });
    writers.join_all().await;
    drop(at_work);
    let mut random = condense.await.unwrap();
    if random.bool() {
        ledger.close(now).unwrap();
    }
}

/// A caller.
struct Writer {
    ledger: Arc<Ledger<SledStore>>,
    facts: Arc<Facts>,
    plans: PlanBook,
    now: Timestamp,
    /// Whether alerts go somewhere.
    told: bool,
    random: fastrand::Rng,
}

impl Writer {
    /// Does something under a name that nobody else uses.
    async fn step(&mut self, name: &str) {
        let path = PATHS[self.random.usize(..PATHS.len())];
        let tokens = self.random.u64(1..100);
        let key = (self.random.u8(..4) < 3).then_some(name);
        let mut report = report(path, key, tokens, self.now);
        // Long texts fill blocks, and segments of sled's file, in no time.
        report.request_id = Some("x".repeat(1 << self.random.usize(..12)));
        let (ledger, plans, now) = (&*self.ledger, &self.plans, self.now);
        match self.random.u8(..5) {
            0 => {
                let held = reserve(ledger, plans, path, tokens, 10 * MINUTES, now).await;
                let id = held.reservation.unwrap().id;
                self.facts.add(Fact::Held(id));
                report.key = None;
                if self.random.bool() {
                    settle(ledger, plans, id, &report, now).await.unwrap();
                    self.facts.add(Fact::Settled(id));
                }
            }
            1 => {
                let turn = ledger.turn(once(name, ""), now).unwrap();
                report.key = None;
                ledger.record(&report.into(), &turn, plans, now, |_| vec![]).await.unwrap();
                self.facts.add(Fact::Once { key: name.to_owned() });
            }
            2 => {
                report.key = None;
                let turn = Turn::default();
                let recorded =
                    ledger.record(&report.into(), &turn, plans, now, warn).await.unwrap();
                for alert in recorded.alerts.iter().filter(|_| self.told) {
                    self.facts.add(Fact::Alerted(alert.id));
                }
                let (kind, wanted) = (ChannelKind::Email, self.random.bool());
                let due = ledger.deliveries_due(kind, now, 2, |_, _| wanted).unwrap();
                for (id, _) in due {
                    ledger.progress(vec![(id, Progress::Sent)], now).await.unwrap();
                    self.facts.add(Fact::Sent(id));
                }
            }
            _ => {
                ledger
                    .record(&report.into(), &Turn::default(), plans, now, |_| vec![])
                    .await
                    .unwrap();
                if let Some(key) = key {
                    let event = key.to_owned();
                    self.facts.add(Fact::Recorded { path, event, tokens });
                }
            }
        }
    }
}
