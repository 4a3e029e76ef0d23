//! What is stored wrongly is named, and the rest is still looked at.
//!
//! The tests write to the store's rows as nobody else does: past the store, as a disk might.

use std::path::Path;
use std::sync::Arc;

use tollgate_domain::{Alert, Preferences, Reading, Window};
use tollgate_ledger::store::sled::{SledStore, Verification};
use tollgate_ledger::{DeliveryId, Ledger, Progress, Turn, forgettable};

use crate::support::*;

/// A ledger with a bit of everything, closed, so that all of it lies in rows.
async fn history(folder: &Path) {
    let (ledger, now) = (open(folder), noon());
    let plans = book(vec![
        plan("free", vec![quota("calls", "calls", Window::Day, "100")]),
        plan("pro", vec![]),
    ]);
    subscribe(&ledger, &plans, "acme", "pro", now).await;
    let mail = vec!["zoe@example.com".parse().unwrap()];
    let preferences = Preferences { emails: mail, log: true, ..Preferences::default() };
    ledger.prefer(Some(subject("zoe")), Some(preferences), now).await.unwrap();
    let mut alerts = Vec::new();
    for (path, key, tokens) in
        [("acme/ann", Some("e1"), 5), ("acme/ann", Some("e2"), 7), ("zoe", None, 100)]
    {
        let (report, turn) = (report(path, key, tokens, now), Turn::default());
        let recorded = ledger.record(&report.into(), &turn, &plans, now, warn).await.unwrap();
        alerts.extend(recorded.alerts);
    }
    ledger.read_alert(alerts[0].id, &plans, now).await.unwrap();
    let sent = DeliveryId { alert: alerts[0].id, ordinal: 0 };
    ledger.progress(vec![(sent, Progress::Sent)], now).await.unwrap();
    let mut holds = Vec::new();
    for _ in 0..3 {
        let held = reserve(&ledger, &plans, "zoe", 1, MINUTES, now).await;
        holds.push(held.reservation.unwrap().id);
    }
    ledger.release(holds[0], &plans, now).await.unwrap();
    settle(&ledger, &plans, holds[1], &report("zoe", None, 3, now), now).await.unwrap();
    // The third stays open.
    ledger.close(now).unwrap();
}

/// Warns of any limit at once.
fn warn(readings: &[Reading]) -> Vec<Alert> {
    let due = |reading: &Reading| Alert {
        subject: reading.subject.clone(),
        quota: reading.quota.clone(),
        provider: None,
        limit: reading.limit,
        threshold: 1,
        kind: "usage_warning".into(),
        severity: "info".into(),
        title: String::new(),
        message: String::new(),
    };
    readings.iter().map(due).collect()
}

fn open(folder: &Path) -> Ledger<SledStore> {
    Ledger::open(Arc::new(SledStore::open(folder).unwrap())).unwrap()
}

fn verify(folder: &Path) -> Verification {
    SledStore::inspect(folder).unwrap().verify(&forgettable(noon()), |_, _| {})
}

/// The rows without their seal, which would not let them be changed.
fn past_the_store(folder: &Path) -> sled::Db {
    let rows = sled::open(folder).unwrap();
    std::fs::remove_file(folder.join("seal")).unwrap();
    rows
}

/// What verifying names after `tamper` was let loose on the rows.
async fn after(tamper: impl Fn(&sled::Db)) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    history(folder.path()).await;
    assert_eq!(verify(folder.path()).differences, []);
    let rows = past_the_store(folder.path());
    tamper(&rows);
    drop(rows);
    let differences = verify(folder.path()).differences;
    differences.iter().map(|difference| difference.to_string()).collect()
}

fn keys(rows: &sled::Db, kind: &str) -> Vec<sled::IVec> {
    rows.scan_prefix(kind).keys().map(|key| key.unwrap()).collect()
}

/// A crash amid condensing leaves rows of some kinds written and others not, and no word of
/// either: the blocks are replayed over both, those included that were committed meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_amid_condensing_adds_nothing_twice_and_loses_nothing() {
    const CHECKPOINT: &str = "C";
    for unwritten in
        ["A", "D", "E", "O", "R", "G", "W", "A D", "Q X q", "V", "A D E O R G W Q X q V", ""]
    {
        let folder = tempfile::tempdir().unwrap();
        history(folder.path()).await;
        let rows = past_the_store(folder.path());
        for key in [CHECKPOINT].into_iter().chain(unwritten.split_whitespace()) {
            keys(&rows, key).into_iter().for_each(|key| drop(rows.remove(key).unwrap()));
        }
        drop(rows);
        let (ledger, plans, now) = (open(folder.path()), book(vec![]), noon());
        record(&ledger, &plans, &report("acme/ann", None, 11, now), now).await.unwrap();
        drop(ledger);
        assert_eq!(verify(folder.path()).differences, [], "without {unwritten:?}");
        open(folder.path()).close(now).unwrap();
        assert_eq!(verify(folder.path()).differences, [], "condensed, without {unwritten:?}");
    }
}

/// Whether each of the differences begins with one of these, and each of these begins one.
#[track_caller]
fn assert_named(differences: &[String], beginnings: &[&str]) {
    let begins = |difference: &String| beginnings.iter().any(|b| difference.starts_with(b));
    let named = |b: &&str| differences.iter().any(|difference| difference.starts_with(b));
    assert!(differences.iter().all(begins) && beginnings.iter().all(named), "{differences:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_ledger_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    history(folder.path()).await;
    let verified = verify(folder.path());
    assert_eq!((verified.events, verified.accounts), (4, 3));
    assert_eq!(verified.totals.tokens(), 115);
    assert_eq!(verified.totals.cost, price(115));
    assert!(verified.blocks > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_says_something_else_is_named_with_what_it_should_say() {
    let named = after(|rows| {
        let zoe = rows.get("Azoe\0").unwrap().unwrap();
        rows.insert("Aacme/ann\0", zoe).unwrap();
    });
    let sums = [
        "lifetime",
        "month from 2025-01-01T00:00:00Z",
        "day from 2025-01-15T00:00:00Z",
        "minute from 2025-01-15T12:00:00Z",
    ]
    .map(|window| {
        format!(
            "acme/ann, the {window}, gemini gemini-2.5-flash: expected cost 0.012, \
                 input_tokens 12, found cost 0.103, input_tokens 103"
        )
    });
    let version = "acme/ann, the account's version: expected 2, found 6".to_owned();
    let is_alert = |named: &String| named.starts_with("acme/ann, the alerts: expected , found ");
    let (alerts, others): (Vec<_>, Vec<_>) = named.await.into_iter().partition(is_alert);
    assert_eq!(others, [&[version], &sums[..]].concat());
    assert_eq!(alerts.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_account_is_named() {
    let named = after(|rows| drop(rows.remove("Aacme\0").unwrap())).await;
    assert_named(
        &named,
        &[
            "acme, the account's version: expected 3, found 0",
            "acme, the subscription",
            "acme, the ",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_says_something_else_is_named() {
    let named = after(|rows| {
        let [acme, ann, zoe] = &keys(rows, "D")[..] else { panic!("three levels, one day each") };
        assert!(acme.starts_with(b"Dacme\0") && zoe.starts_with(b"Dzoe\0"));
        let other = rows.get(zoe).unwrap().unwrap();
        rows.insert(ann, other).unwrap();
    });
    assert_eq!(
        named.await,
        ["acme/ann, the quarter-hour from 2025-01-15T12:00:00Z, gemini gemini-2.5-flash: \
          expected cost 0.012, input_tokens 12, found cost 0.103, input_tokens 103"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_names_of_events_are_named() {
    let named = after(|rows| drop(rows.remove(&keys(rows, "E")[0]).unwrap())).await;
    assert_named(
        &named,
        &[
            "acme/ann, the event's name e1: expected ev-3-0, found none",
            "acme/ann, the event's name e2: expected ev-4-0, found none",
            "the events' names: expected 2, found 0",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_lines_of_logs_are_named() {
    let named = after(|rows| drop(rows.remove(&keys(rows, "G")[0]).unwrap())).await;
    assert_named(
        &named,
        &[
            "acme, the line of the log about ev-3-0: ",
            "acme, the line of the log about ev-4-0: ",
            "acme/ann, the line of the log about ev-3-0: ",
            "acme/ann, the line of the log about ev-4-0: ",
            "zoe, the line of the log about ",
            "the lines of all logs: expected 6, found 0",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_alerts_are_named() {
    let named = after(|rows| drop(rows.remove(&keys(rows, "W")[0]).unwrap())).await;
    assert_named(&named, &["zoe, the alert ", "the alerts: expected 1, found 0"]);
    assert!(named[0].ends_with(": expected read, found none"), "{named:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_amiss_in_the_outbox_is_named() {
    let named = after(|rows| drop(rows.remove(&keys(rows, "Q")[1]).unwrap())).await;
    assert_named(
        &named,
        &[
            "zoe, the notification nt-",
            "the notifications: expected 2, found 1",
            "the notifications that ways lead to: expected 2, found 1",
        ],
    );
    assert!(named[0].contains(": expected one by log, pending after 0 attempts, due 2025-01-15"));
    let named = after(|rows| drop(rows.remove(&keys(rows, "q")[0]).unwrap())).await;
    assert_named(
        &named,
        &[
            "the ways to notifications: expected 3, found 2",
            "the notifications that ways lead to: expected 2, found 1",
        ],
    );
    let named = after(|rows| drop(rows.remove(&keys(rows, "V")[0]).unwrap())).await;
    assert_named(&named, &["zoe, the notification preferences: expected those last set, found"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn reservations_that_are_lost_are_named() {
    let named = after(|rows| drop(rows.remove(&keys(rows, "R")[0]).unwrap())).await;
    assert_named(&named, &["zoe, the reservation ", "the ended reservations: expected 2, found 0"]);
    assert_eq!(named.iter().filter(|named| named.ends_with(", found none")).count(), 3);
    let named = after(|rows| drop(rows.remove(&keys(rows, "O")[0]).unwrap())).await;
    assert_named(&named, &["zoe, the reservation "]);
    assert!(named[0].ends_with(": expected it listed as held, found it not"), "{named:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_is_named_and_the_rest_is_looked_at() {
    let named = after(|rows| {
        rows.insert(&keys(rows, "B")[0], vec![9]).unwrap();
        rows.insert("Azoe\0", vec![0, 255]).unwrap();
        rows.insert("C\0", vec![0]).unwrap();
    });
    let named = named.await;
    for beginning in ["block 1: ", "zoe, the account: ", "the checkpoint: "] {
        assert!(named.iter().any(|d| d.starts_with(beginning)), "{beginning} in {named:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_block_is_named() {
    let named = after(|rows| drop(rows.remove(&keys(rows, "B")[1]).unwrap())).await;
    assert!(named.iter().any(|d| d.starts_with("blocks 2 to 2: ")), "{named:#?}");
}

#[test]
fn where_there_is_no_data_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let error = SledStore::inspect(folder.path()).err().unwrap().to_string();
    assert!(error.contains("there is no data in"), "{error}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}
