//! A byte that changes on the disk, a sector that is lost, a file that ends too early: nothing
//! acknowledged is missing or different without a word.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tollgate_domain::{Span, Timestamp, Window};
use tollgate_ledger::store::sled::SledStore;
use tollgate_ledger::store::{Store, StoreError};
use tollgate_ledger::{Ledger, ReservationId, Turn, forgettable};

use crate::support::*;

const EVENTS: u64 = 300;

/// How the process that wrote the data ended.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Everything lies in rows.
    Condensed,
    /// Nothing does.
    Closed,
    /// A start has condensed what it replayed, and was killed later on.
    Killed,
}

/// What the ledger has acknowledged.
struct Facts {
    holds: Vec<ReservationId>,
}

/// Writes a history in a folder.
async fn history(folder: &Path, end: End) -> Facts {
    let (mut ledger, now) = (open(folder), noon());
    let plans = book(vec![plan("free", vec![quota("calls", "calls", Window::Month, "100000")])]);
    let mut holds = Vec::new();
    for event in 0..EVENTS {
        let mut report = report("acme/ann", Some(&format!("e{event}")), event, now);
        report.request_id = Some("x".repeat(event as usize * 7));
        let turn = match event % 10 {
            0 => ledger.turn(once(&format!("k{event}"), ""), now).unwrap(),
            _ => Turn::default(),
        };
        ledger.record(&report.into(), &turn, &plans, now, |_| vec![]).await.unwrap();
        if event % 30 == 0 {
            let held = reserve(&ledger, &plans, "acme/bob", 1, MINUTES, now).await;
            holds.push(held.reservation.unwrap().id);
        }
        if event % 100 == 99 && !matches!(end, End::Closed) {
            ledger.tick(None, now).unwrap();
        }
        if event == 149 && matches!(end, End::Killed) {
            drop(ledger);
            ledger = open(folder);
        }
    }
    match end {
        End::Condensed => ledger.close(now).unwrap(),
        End::Closed => {}
        End::Killed => {
            ledger.tick(None, now).unwrap();
            let killed = tempfile::tempdir().unwrap();
            copy(folder, killed.path());
            drop(ledger);
            fs::remove_dir_all(folder).unwrap();
            copy(killed.path(), folder);
        }
    }
    Facts { holds }
}

fn open(folder: &Path) -> Ledger<SledStore> {
    Ledger::open(Arc::new(SledStore::open(folder).unwrap())).unwrap()
}

impl Facts {
    /// Asks for everything; the error is what a caller would be told.
    fn check(&self, store: &SledStore, said: &str) -> Result<(), StoreError> {
        let mut tokens = 0;
        for event in 0..EVENTS {
            let name = format!("e{event}").parse().unwrap();
            let id = store.event_by_key(&subject("acme/ann"), &name)?;
            let id = id.ok_or_else(|| format!("the name e{event} is lost, {said}")).unwrap();
            let found = store.event(id)?;
            let found = found.ok_or_else(|| format!("e{event} is lost, {said}")).unwrap();
            assert_eq!(found.report.usage, usage(event), "{said}");
            tokens += event;
            if event % 10 == 0 {
                let marks = store.marked(&once(&format!("k{event}"), "").key, noon())?;
                assert_eq!(marks.len(), 1, "the key k{event}, {said}");
            }
        }
        for level in ["acme", "acme/ann"] {
            let level = subject(level).levels().last().unwrap();
            let span = Span { start: Timestamp::EPOCH, end: None };
            let used = store.used(&level, &span)?;
            let sum: u64 = used.cells().iter().map(|cell| cell.totals.tokens()).sum();
            assert_eq!(sum, tokens, "{level}, {said}");
            assert!(store.account(&level)?.unwrap().0 >= EVENTS, "{level}, {said}");
        }
        let open = store.open_reservations(&subject("acme").root())?;
        assert_eq!(open.len(), self.holds.len(), "{said}");
        for hold in &self.holds {
            assert!(store.reservation(*hold)?.is_some(), "a hold is lost, {said}");
        }
        Ok(())
    }
}

/// Damages a file in one place, and tells how.
fn damage(path: &Path, random: &mut fastrand::Rng) -> String {
    let mut bytes = fs::read(path).unwrap();
    let at = random.usize(..bytes.len());
    let name = path.file_name().unwrap().display();
    let done = match random.u8(..8) {
        0 => {
            bytes.truncate(at);
            format!("{name} ends at {at}")
        }
        1 => {
            let first = at - at % 512;
            let end = (first + 512).min(bytes.len());
            bytes[first..end].fill(0);
            format!("{name} is zero from {first} to {end}")
        }
        _ => {
            bytes[at] ^= 1 << random.u8(..8);
            format!("{name} is flipped at {at}")
        }
    };
    fs::write(path, bytes).unwrap();
    done
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("blobs")).unwrap();
    for file in files(from) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_damaged_is_taken_for_sound() {
    let setting = |name| std::env::var(name).ok().map(|number: String| number.parse().unwrap());
    let seed = setting("TOLLGATE_DAMAGE_SEED").unwrap_or_else(|| fastrand::u64(..));
    let times = setting("TOLLGATE_DAMAGES").unwrap_or(80);
    for end in [End::Condensed, End::Closed, End::Killed] {
        let sound = tempfile::tempdir().unwrap();
        let facts = history(sound.path(), end).await;
        let mut noticed = 0;
        for time in 0..times {
            let mut random = fastrand::Rng::with_seed(seed.wrapping_add(time));
            let folder = tempfile::tempdir().unwrap();
            copy(sound.path(), folder.path());
            let files = files(folder.path());
            // Most of it is sled's file.
            let file = match random.u8(..4) {
                0 => files[random.usize(..files.len())].clone(),
                _ => folder.path().join("db"),
            };
            let done = damage(&file, &mut random);
            let said = format!("{end:?}: {done}, TOLLGATE_DAMAGE_SEED={}", seed.wrapping_add(time));
            // What looks at it first must not make it look sound.
            let inspected = match random.bool() {
                true => SledStore::inspect(folder.path())
                    .map(|store| store.verify(&forgettable(noon()), |_, _| {})),
                false => Err(StoreError("not inspected".into())),
            };
            let opened = SledStore::open(folder.path());
            let answered = opened.and_then(|store| facts.check(&store, &said));
            if let Err(error) = &answered {
                noticed += 1;
                assert!(error.to_string().len() < 400, "{error}, {said}");
            } else if let Ok(verified) = inspected {
                assert_eq!(verified.differences, [], "{said}");
            }
        }
        assert!(noticed > 0, "{end:?}: no damage was ever noticed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_are_sound_however_often_they_are_looked_at() {
    for end in [End::Condensed, End::Closed, End::Killed] {
        let folder = tempfile::tempdir().unwrap();
        let facts = history(folder.path(), end).await;
        for _ in 0..3 {
            let store = SledStore::inspect(folder.path()).unwrap();
            assert_eq!(store.verify(&forgettable(noon()), |_, _| {}).differences, []);
            drop(store);
            let store = SledStore::open(folder.path()).unwrap();
            facts.check(&store, "sound").unwrap();
        }
    }
}
