//! A backup restores to the same ledger, or to none.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinSet;
use tollgate_domain::{PlanBook, Span, Timestamp, Window};
use tollgate_ledger::backup::{Broken, Reader, Summary};
use tollgate_ledger::store::Store;
use tollgate_ledger::store::sled::{RestoreError, Restored, SledStore, restore};
use tollgate_ledger::{Backup, Fingerprint, Ledger, ReservationId, forgettable};

use crate::support::*;

const PATHS: [&str; 4] = ["acme", "acme/ann", "acme/bob", "zoe"];

/// Magic and format.
const START_BYTES: usize = 20;

fn plans() -> PlanBook {
    book(vec![
        plan("free", vec![quota("calls", "calls", Window::Day, "100")]),
        plan("pro", vec![quota("tokens", "tokens", Window::Month, "1000")]),
    ])
}

fn open(folder: &Path) -> (Arc<SledStore>, Ledger<SledStore>) {
    let store = Arc::new(SledStore::open(folder).unwrap());
    (store.clone(), Ledger::open(store).unwrap())
}

/// A bit of everything.
async fn history(ledger: &Ledger<SledStore>) -> Vec<ReservationId> {
    let (plans, now) = (plans(), noon());
    subscribe(ledger, &plans, "acme", "pro", now).await;
    for (path, key, tokens, minutes_ago) in [
        ("acme/ann", Some("e1"), 5, 0),
        ("acme/bob", Some("e1"), 7, 30),
        ("acme/ann", Some("e2"), 11, 100_000),
        ("zoe", None, 100, 0),
    ] {
        let report = report(path, key, tokens, now.minus(minutes_ago * MINUTES));
        record(ledger, &plans, &report, now).await.unwrap();
    }
    let turn = ledger.turn(once("k", "body"), now).unwrap();
    let mut holds = Vec::new();
    for (part, path) in [(0, "zoe"), (1, "acme/bob"), (2, "zoe")] {
        let held = reserve_in(&turn.of_part(part), ledger, &plans, path, 1, MINUTES, now).await;
        holds.push(held.reservation.unwrap().id);
    }
    drop(turn);
    ledger.release(holds[0], &plans, now).await.unwrap();
    settle(ledger, &plans, holds[1], &report("acme/bob", None, 3, now), now).await.unwrap();
    // The third stays open.
    holds
}

/// All that a ledger can ask of its store about that, save which windows are added up already.
fn answers(store: &SledStore, holds: &[ReservationId]) -> Vec<String> {
    let now = noon();
    let marked = store.marked(&Fingerprint::of(b"k"), Timestamp::EPOCH).unwrap();
    assert_eq!(marked.len(), holds.len());
    let mut answers = vec![format!("{:?} {marked:?}", store.last_instant())];
    answers.extend(holds.iter().map(|id| format!("{:?}", store.reservation(*id).unwrap())));
    for path in PATHS.map(subject) {
        let (version, account) = store.account(&path).unwrap().unwrap();
        let lifetime = account.tally(Window::Lifetime, now).unwrap();
        answers.push(format!("{path} {version} {:?} {lifetime:?}", account.subscription));
        for hours in [1, 24, 10_000] {
            let span = Span { start: now.minus(hours * 60 * MINUTES), end: None };
            answers.push(format!("{:?}", store.used(&path, &span).unwrap()));
        }
        answers.push(format!("{:?}", store.open_reservations(&path.root()).unwrap()));
        for name in ["e1", "e2", "e3"] {
            let key = name.parse().unwrap();
            answers.push(format!("{:?}", store.event_by_key(&path, &key).unwrap()));
        }
    }
    answers.extend(store.blocks().map(|block| format!("{:?}", store.facts_of(block).unwrap())));
    answers
}

fn bytes(mut backup: Backup<impl Store>) -> Vec<u8> {
    std::iter::from_fn(|| backup.page().unwrap()).flatten().collect()
}

fn small_backup() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_, ledger) = open(folder.path());
    runtime.block_on(history(&ledger));
    bytes(ledger.backup().unwrap())
}

fn read(backup: &[u8]) -> Result<Summary, Broken> {
    Reader::open(backup)?.finish()
}

/// Where the frames begin.
fn frames(backup: &[u8]) -> Vec<usize> {
    let mut begins = vec![START_BYTES];
    loop {
        let begin = *begins.last().unwrap();
        let length = u32::from_le_bytes(backup[begin + 1..begin + 5].try_into().unwrap());
        let end = begin + 9 + length as usize;
        if end == backup.len() {
            return begins;
        }
        begins.push(end);
    }
}

/// Changes a frame as a writer would have that knows more.
fn rewritten(backup: &[u8], frame: usize, change: impl Fn(&mut [u8])) -> Vec<u8> {
    let (mut backup, frames) = (backup.to_vec(), frames(backup));
    let (content, checksum) =
        backup[frames[frame]..frames[frame + 1]].split_last_chunk_mut().unwrap();
    change(content);
    *checksum = crc32fast::hash(content).to_le_bytes();
    backup
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_restored_equals_what_was_backed_up() {
    let (folder, now) = (tempfile::tempdir().unwrap(), noon());
    let (store, ledger) = open(folder.path());
    let holds = history(&ledger).await;
    let large = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect::<Vec<_>>();
    store.shelve("a/large", &large).unwrap();
    store.shelve("b/empty", b"").unwrap();
    let backup = bytes(ledger.backup().unwrap());
    let data = folder.path().join("restored");
    let restored = restore(&backup[..], &data, |_, _, _| {}).unwrap();
    assert_eq!((restored.events, restored.accounts), (5, 4));
    assert_eq!(restored.blocks, store.blocks().end - 1);

    let (again, ledger) = open(&data);
    assert_eq!(answers(&again, &holds), answers(&store, &holds));
    assert_eq!(bytes(ledger.backup().unwrap()), backup, "and backs up to the same bytes");
    assert_eq!(again.verify(&forgettable(now), |_, _| {}).differences, []);
    assert_eq!(again.shelf("").unwrap(), ["a/large", "b/empty"]);
    assert!(again.shelved("a/large").unwrap().unwrap() == large);
    assert_eq!(again.shelved("b/empty").unwrap().unwrap(), b"");
}

/// A restore adds up a bounded number of blocks at a time; the later ones go on from rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_of_many_blocks_adds_up() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ledger) = open(folder.path());
    let (ledger, plans, now) = (Arc::new(ledger), Arc::new(plans()), noon());
    let mut recording = JoinSet::new();
    for i in 0..4_200_u32 {
        let name = format!("e{i}");
        let occurred_at = now.minus(i % 7 * 600 * MINUTES);
        let mut report = report(PATHS[i as usize % 4], Some(&name), 1, occurred_at);
        // So long that no two share a block.
        report.error = Some("x".repeat(5_000));
        let (ledger, plans) = (ledger.clone(), plans.clone());
        recording.spawn(async move { record(&ledger, &plans, &report, now).await.unwrap() });
    }
    recording.join_all().await;
    assert!(store.blocks().end > 4_200, "more than are added up in one go");
    let data = folder.path().join("restored");
    let backup = bytes(ledger.backup().unwrap());
    let mut heard = (0, 0);
    let restored = restore(&backup[..], &data, |_, done, all| heard = (done, all)).unwrap();
    assert_eq!((restored.events, heard), (4_200, (restored.blocks, restored.blocks)));
    let verified = SledStore::inspect(&data).unwrap().verify(&forgettable(now), |_, _| {});
    assert_eq!((verified.differences, verified.events), (vec![], 4_200));
}

#[test]
fn a_ledger_that_was_never_used_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (_, ledger) = open(folder.path());
    let backup = bytes(ledger.backup().unwrap());
    let data = folder.path().join("restored");
    let nothing = Restored { blocks: 0, events: 0, accounts: 0 };
    assert_eq!(restore(&backup[..], &data, |_, _, _| {}).unwrap(), nothing);
    assert_eq!(SledStore::inspect(&data).unwrap().blocks(), 1..1);
}

#[test]
fn whichever_bit_is_flipped_the_backup_is_refused_and_the_place_named() {
    let backup = small_backup();
    let frames = frames(&backup);
    assert!(read(&backup).is_ok() && frames.len() > 8);
    for byte in 0..backup.len() {
        for bit in 0..8 {
            let mut flipped = backup.clone();
            flipped[byte] ^= 1 << bit;
            let error = read(&flipped).unwrap_err();
            let frame = frames.iter().rposition(|begin| *begin <= byte);
            let named = match frame {
                Some(frame) => format!("frame {frame} at byte {}", frames[frame]),
                None if byte < 16 => "at byte 0".to_owned(),
                None => "at byte 16".to_owned(),
            };
            assert!(error.to_string().contains(&named), "bit {bit} of byte {byte}: {error}");
        }
    }
}

#[test]
fn wherever_a_backup_breaks_off_it_is_refused() {
    let backup = small_backup();
    for length in 0..backup.len() {
        let error = read(&backup[..length]).unwrap_err();
        let expected = match length {
            0..16 => matches!(error, Broken::NotABackup),
            _ => {
                matches!(error, Broken::Truncated(place) if place.byte <= length.max(START_BYTES) as u64)
            }
        };
        assert!(expected, "at {length}: {error}");
    }
}

#[test]
fn frames_that_are_missing_or_too_many_are_noticed() {
    let backup = small_backup();
    let frames = frames(&backup);
    let without_one = [&backup[..frames[2]], &backup[frames[3]..]].concat();
    let twice = [&backup[..frames[3]], &backup[frames[2]..]].concat();
    let more = [&backup[..], &[0]].concat();
    for (backup, named) in [
        (without_one, "it is the end of"),
        (twice, "it is the end of"),
        (more, "it follows the end"),
    ] {
        let error = read(&backup).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn what_a_later_version_wrote_is_refused_with_both_versions() {
    let (backup, folder) = (small_backup(), tempfile::tempdir().unwrap());
    let own = env!("CARGO_PKG_VERSION");
    let mut format = backup.clone();
    format[16] = 2;
    let kind = rewritten(&backup, 2, |frame| frame[0] = b'D');
    let block = rewritten(&backup, 2, |frame| frame[13] = 7);
    for (backup, named) in [
        (format, vec!["has format 2", "knows format 1"]),
        (kind, vec!["is of kind 'D'", "made by tollgate"]),
        (block, vec!["block 2 has an unknown format", "made by tollgate"]),
    ] {
        let data = folder.path().join("restored");
        let error = restore(&backup[..], &data, |_, _, _| {}).unwrap_err().to_string();
        assert!(named.iter().all(|n| error.contains(n)) && error.contains(own), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }
}

#[test]
fn a_block_that_nobody_could_restore_makes_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ledger) = open(folder.path());
    tokio::runtime::Runtime::new().unwrap().block_on(history(&ledger));
    ledger.close(noon()).unwrap();
    drop((store, ledger));
    let rows = sled::open(folder.path()).unwrap();
    rows.insert([&b"B"[..], &3_u64.to_be_bytes()].concat(), vec![9]).unwrap();
    drop(rows);
    // The seal would not let them be changed.
    fs::remove_file(folder.path().join("seal")).unwrap();

    let mut backup = Backup::new(Arc::new(SledStore::inspect(folder.path()).unwrap())).unwrap();
    let error = backup.page().unwrap_err().to_string();
    assert!(error.contains("block 3 has an unknown format"), "{error}");
    assert!(backup.page().unwrap().is_none(), "it has no end");
}

#[test]
fn a_restore_into_a_folder_with_data_is_refused_and_leaves_them_alone() {
    let (backup, folder) = (small_backup(), tempfile::tempdir().unwrap());
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("db"), "precious").unwrap();
    let error = restore(&backup[..], &data, |_, _, _| {}).unwrap_err();
    assert!(matches!(&error, RestoreError::Occupied(folder) if *folder == data), "{error}");
    assert_eq!(fs::read(data.join("db")).unwrap(), b"precious");
    fs::remove_file(data.join("db")).unwrap();
    restore(&backup[..], &data, |_, _, _| {}).unwrap();
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left, [data]);
}

#[test]
fn two_restores_into_one_folder_do_not_mix() {
    let (backup, folder) = (small_backup(), tempfile::tempdir().unwrap());
    let data = folder.path().join("data");
    let mut second = None;
    restore(&backup[..], &data, |_, _, _| {
        second.get_or_insert_with(|| restore(&backup[..], &data, |_, _, _| {}).unwrap_err());
    })
    .unwrap();
    let second = second.unwrap();
    assert!(matches!(second, RestoreError::UnderWay(_)), "{second}");
    assert!(SledStore::inspect(&data).is_ok());
}
