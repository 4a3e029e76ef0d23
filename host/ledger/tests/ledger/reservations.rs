//! The store writes where reservations lie in sorted runs, and merges those: each is found by its
//! id and from its root in whatever run it has come to lie, and none comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tollgate_domain::{PlanBook, Timestamp};
use tollgate_ledger::store::Store;
use tollgate_ledger::store::sled::SledStore;
use tollgate_ledger::{Ledger, ReservationId, State, forgettable};

use crate::support::*;

const ROOTS: [&str; 3] = ["acme", "zoe", "idle"];
const PATHS: [&str; 4] = ["acme", "acme/ann", "acme/bob", "zoe"];
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Bytes of what a run keeps of one reservation.
const ELEMENT_BYTES: usize = 24;

/// A ledger, and what is known of all its reservations.
struct World {
    folder: tempfile::TempDir,
    running: Option<(Arc<SledStore>, Ledger<SledStore>)>,
    plans: PlanBook,
    now: Timestamp,
    random: fastrand::Rng,
    known: BTreeMap<ReservationId, (&'static str, State)>,
}

fn open(folder: &Path) -> (Arc<SledStore>, Ledger<SledStore>) {
    let store = Arc::new(SledStore::open(folder).unwrap());
    (store.clone(), Ledger::open(store).unwrap())
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let running = Some(open(folder.path()));
        let (plans, random) = (book(vec![]), fastrand::Rng::with_seed(3));
        Self { folder, running, plans, now: noon(), random, known: BTreeMap::new() }
    }

    fn ledger(&self) -> &Ledger<SledStore> {
        &self.running.as_ref().unwrap().1
    }

    fn store(&self) -> &SledStore {
        &self.running.as_ref().unwrap().0
    }

    async fn reserve(&mut self, held_for: Duration) -> ReservationId {
        let path = PATHS[self.random.usize(..PATHS.len())];
        let held = reserve(self.ledger(), &self.plans, path, 1, held_for, self.now).await;
        let id = held.reservation.unwrap().id;
        self.known.insert(id, (path, State::Held));
        id
    }

    /// Ends one in so many of those that are held.
    async fn end(&mut self, one_in: usize) {
        let held = self.known.iter().filter(|(_, (_, state))| *state == State::Held);
        let held: Vec<_> = held.map(|(id, (path, _))| (*id, *path)).collect();
        for (id, path) in held {
            let state = match self.random.usize(..2 * one_in) {
                0 => {
                    let report = report(path, None, 1, self.now);
                    settle(self.ledger(), &self.plans, id, &report, self.now).await.unwrap();
                    State::Settled
                }
                1 => {
                    self.ledger().release(id, &self.plans, self.now).await.unwrap();
                    State::Released
                }
                _ => continue,
            };
            self.known.insert(id, (path, state));
        }
    }

    fn tick(&self) {
        self.ledger().tick(None, self.now).unwrap();
    }

    fn stop(&mut self) {
        self.running = None;
    }

    fn start(&mut self) {
        self.running = Some(open(self.folder.path()));
    }

    /// Does something to the rows that the store would not do, as a crash might.
    fn past_the_store(&mut self, tamper: impl Fn(&sled::Db)) {
        self.stop();
        let rows = sled::open(self.folder.path()).unwrap();
        tamper(&rows);
        drop(rows);
        std::fs::remove_file(self.folder.path().join("seal")).unwrap();
        self.start();
    }

    /// Asks for all that are known, by their ids and from their roots.
    fn check(&self, said: &str) {
        for (id, (path, state)) in &self.known {
            let found = self.ledger().reservation(*id, self.now).unwrap();
            let found = found.ok_or_else(|| format!("{id} is lost, {said}")).unwrap();
            assert_eq!(found.call.subject, subject(path), "{said}");
            assert_eq!(found.state(self.now), *state, "{id}, {said}");
        }
        for root in ROOTS.map(|root| subject(root).root()) {
            let open = self.store().open_reservations(&root).unwrap();
            let held = open.iter().filter(|open| open.expires_at > self.now);
            let found: BTreeSet<_> = held.map(|held| held.id).collect();
            let of_root = self.known.iter().filter(|(_, (path, _))| subject(path).root() == root);
            let held = of_root.filter(|(_, (_, state))| *state == State::Held);
            assert_eq!(found, held.map(|(id, _)| *id).collect(), "beneath {root}, {said}");
        }
    }

    fn verify(&self) {
        let verified = self.store().verify(&forgettable(self.now), |_, _| {});
        assert_eq!(verified.differences, []);
    }
}

/// How many elements lie in how many runs of a kind.
fn runs(rows: &sled::Db, kind: &str) -> (usize, usize) {
    let (mut ids, mut bytes) = (BTreeSet::new(), 0);
    for row in rows.scan_prefix(kind) {
        let (key, row) = row.unwrap();
        ids.insert(key[1..5].to_vec());
        bytes += row.len();
    }
    (bytes / ELEMENT_BYTES, ids.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn reservations_are_found_in_whatever_runs_they_have_come_to_lie() {
    let mut world = World::new();
    for round in 0..80 {
        for _ in 0..world.random.usize(1..12) {
            world.reserve(DAY).await;
        }
        world.end(4).await;
        world.check(&format!("not condensed in round {round}"));
        world.tick();
        world.now = world.now.plus(Duration::from_secs(1));
        world.check(&format!("condensed in round {round}"));
        if round % 30 == 17 {
            world.stop();
            world.start();
            world.check(&format!("started in round {round}"));
        }
    }
    world.end(1).await;
    for _ in 0..20 {
        world.reserve(DAY).await;
        world.tick();
    }
    world.check("at the end");
    world.verify();
    world.stop();

    let rows = sled::open(world.folder.path()).unwrap();
    let (places, place_runs) = runs(&rows, "R");
    let (held, held_runs) = runs(&rows, "O");
    let all = world.known.len();
    // Up to seven of each size: by the one, by the eight, by the sixty-four, by the 512.
    assert!(place_runs <= 7 * 4 && held_runs <= 7 * 4, "{place_runs} and {held_runs} runs");
    assert!((all..2 * all).contains(&places), "{places} places of {all}");
    // The ends of most were merged with their beginnings: neither is listed any more.
    assert!(held < all / 2, "of {all}, {held} are listed as held or as having been");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_comes_back_after_a_crash_amid_condensing() {
    const CHECKPOINT: &str = "C";
    // What was not written yet: the list of one kind's runs, or of both, or no more than the word
    // that all is there.
    for unwritten in [&[][..], &["LR"], &["LO"], &["LR", "LO"]] {
        let mut world = World::new();
        for round in 0..40 {
            for _ in 0..3 {
                world.reserve(DAY).await;
            }
            world.end(2).await;
            world.tick();
            if round % 10 == 7 {
                world.past_the_store(|rows| {
                    for kind in [CHECKPOINT].iter().chain(unwritten) {
                        let keys: Vec<_> = rows.scan_prefix(kind).keys().collect();
                        assert_eq!(keys.len(), 1, "{kind}");
                        rows.remove(keys[0].as_ref().unwrap()).unwrap();
                    }
                });
                world.check(&format!("without {unwritten:?}, in round {round}"));
                world.verify();
                world.tick();
                world.check(&format!("condensed, without {unwritten:?}, in round {round}"));
            }
        }
        world.verify();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_leaves_of_a_run_is_cleared_away() {
    let mut world = World::new();
    for _ in 0..5 {
        world.reserve(DAY).await;
    }
    world.tick();
    let unlisted = |kind: &str| [kind.as_bytes(), &7_u32.to_be_bytes(), &[1; 16]].concat();
    let kinds = ["R", "r", "O", "o"];
    world.past_the_store(|rows| {
        for kind in kinds {
            rows.insert(unlisted(kind), vec![0; ELEMENT_BYTES]).unwrap();
        }
    });
    world.check("started");
    world.stop();
    let rows = sled::open(world.folder.path()).unwrap();
    for kind in kinds {
        assert!(!rows.contains_key(unlisted(kind)).unwrap(), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_takes_no_room_and_what_has_expired_is_not_held() {
    let mut world = World::new();
    for round in 0..64 {
        for minutes in 1..4 {
            world.reserve(minutes * MINUTES).await;
        }
        if round % 3 == 0 {
            world.end(2).await;
        }
        world.tick();
        world.now = world.now.plus(DAY / 4);
        let (now, remembered) = (world.now, DAY * 8);
        let gone: Vec<_> = world.known.keys().copied().collect();
        let expired = gone.into_iter().filter(|id| {
            let found = world.ledger().reservation(*id, now).unwrap();
            found.is_none_or(|found| found.state(now) == State::Expired)
        });
        for id in expired.collect::<Vec<_>>() {
            match world.ledger().reservation(id, now).unwrap() {
                Some(_) => world.known.get_mut(&id).unwrap().1 = State::Expired,
                // A week after it expired, and so within eight days of its creation.
                None => drop(world.known.remove(&id)),
            }
        }
        assert!(world.known.len() <= 3 * 4 * (remembered.as_secs() / DAY.as_secs()) as usize);
        world.check(&format!("in round {round}"));
        world.verify();
    }
    let later = report("zoe", None, 1, world.now);
    record(world.ledger(), &world.plans, &later, world.now).await.unwrap();
    world.tick();
    world.stop();
    let rows = sled::open(world.folder.path()).unwrap();
    // Of sixteen days, those of eight, and what lies in one run with them: that of eight rounds.
    let (places, few) = (runs(&rows, "R").0, (8 * 4 + 8) * 3);
    assert!(places <= few, "{places} of {} are there, and not {few}", 64 * 3);
    assert_eq!(runs(&rows, "O").0, 0, "all have expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_left_out_where_runs_are_merged() {
    let mut world = World::new();
    let old = world.reserve(DAY).await;
    world.tick();
    world.now = world.now.plus(6 * DAY);
    // Its end lies in one run with what is younger.
    while world.known[&old].1 == State::Held {
        world.end(1).await;
    }
    world.reserve(DAY).await;
    world.tick();
    world.check("six days later");
    world.now = world.now.plus(3 * DAY);
    for _ in 0..7 {
        world.reserve(DAY).await;
        world.tick();
    }
    assert!(world.store().reservation(old).unwrap().is_none());
    world.verify();
    world.stop();
    let rows = sled::open(world.folder.path()).unwrap();
    assert_eq!(runs(&rows, "R"), (1 + 7, 1), "all but the old one, in one run");
}
