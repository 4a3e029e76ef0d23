//! What is acknowledged survives a restart, whatever was condensed before it.

use std::path::Path;
use std::sync::Arc;

use tollgate_domain::{PlanBook, Window};
use tollgate_ledger::store::Store;
use tollgate_ledger::store::sled::SledStore;
use tollgate_ledger::{Ledger, LedgerError, Period, State};

use crate::support::*;

fn open(folder: &Path) -> Ledger<SledStore> {
    Ledger::open(Arc::new(SledStore::open(folder).unwrap())).unwrap()
}

fn plans() -> PlanBook {
    book(vec![
        plan("free", vec![quota("calls", "calls", Window::Minute, "3")]),
        plan("pro", vec![quota("tokens", "tokens", Window::Month, "1000")]),
    ])
}

/// Restarts with and without the rows that a clean end would have written.
async fn restart(ledger: Ledger<SledStore>, folder: &Path, clean: bool) -> Ledger<SledStore> {
    if clean {
        ledger.close(noon()).unwrap();
    }
    drop(ledger);
    open(folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_changes_no_answer() {
    for clean in [true, false] {
        let (folder, now) = (tempfile::tempdir().unwrap(), noon());
        let mut ledger = open(folder.path());
        let plans = plans();
        subscribe(&ledger, &plans, "acme", "pro", now).await;
        let first = report("acme/ann", Some("e1"), 300, now);
        let recorded = record(&ledger, &plans, &first, now).await.unwrap();
        let hold =
            reserve(&ledger, &plans, "acme/bob", 500, MINUTES, now).await.reservation.unwrap();

        for round in 0..3 {
            ledger = restart(ledger, folder.path(), clean).await;
            let again = record(&ledger, &plans, &first, now).await.unwrap();
            assert_eq!((again.duplicate, again.id), (true, recorded.id), "round {round}");
            let acme = used(&ledger, &plans, "acme", Period::Current, now).await;
            assert_eq!(tokens(&acme), 300);
            assert_eq!((acme.quotas[0].used, acme.quotas[0].reserved), (300.into(), 500.into()));
            let more = reserve(&ledger, &plans, "acme/ann", 201, MINUTES, now).await;
            assert!(!more.decision.allowed(), "the hold is still held");
        }
        let settling = report("acme/bob", None, 600, now);
        settle(&ledger, &plans, hold.id, &settling, now).await.unwrap();
        ledger = restart(ledger, folder.path(), clean).await;
        assert_eq!(ledger.reservation(hold.id, now).unwrap().unwrap().state(now), State::Settled);
        let again = settle(&ledger, &plans, hold.id, &settling, now).await.unwrap();
        assert!(again.duplicate);
        assert_eq!(tokens(&used(&ledger, &plans, "acme", Period::Current, now).await), 900);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_remembered_over_a_restart() {
    for clean in [true, false] {
        let (folder, now) = (tempfile::tempdir().unwrap(), noon());
        let (mut ledger, plans) = (open(folder.path()), plans());
        let turn = ledger.turn(once("k", "body"), now).unwrap();
        let held = reserve_in(&turn, &ledger, &plans, "ann", 1, MINUTES, now).await;
        drop(turn);
        for _ in 0..2 {
            ledger = restart(ledger, folder.path(), clean).await;
            let turn = ledger.turn(once("k", "body"), now).unwrap();
            let again = ledger.reserved_before(&turn).unwrap().unwrap();
            assert_eq!(again.reservation, held.reservation);
            drop(turn);
            let reused = ledger.turn(once("k", "another"), now);
            assert!(matches!(reused, Err(LedgerError::KeyReused)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_amid_a_minute_forgets_nothing_of_it() {
    for clean in [true, false] {
        let (folder, now) = (tempfile::tempdir().unwrap(), noon());
        let (mut ledger, plans) = (open(folder.path()), plans());
        for granted in [true, true, true, false] {
            let call = report("ann", None, 1, now);
            let reserved = reserve(&ledger, &plans, "ann", 1, MINUTES, now).await;
            assert_eq!(reserved.reservation.is_some(), granted);
            if let Some(hold) = reserved.reservation {
                settle(&ledger, &plans, hold.id, &call, now).await.unwrap();
            }
            ledger = restart(ledger, folder.path(), clean).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_ledger_on_the_same_folder_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path());
    let error = SledStore::open(folder.path()).err().unwrap().to_string();
    assert!(error.contains("another process"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_is_known_for_a_week_after_its_expiry_and_then_takes_no_room() {
    let (folder, now) = (tempfile::tempdir().unwrap(), noon());
    let store = Arc::new(SledStore::open(folder.path()).unwrap());
    let (ledger, plans) = (Ledger::open(store.clone()).unwrap(), plans());
    let settled = reserve(&ledger, &plans, "ann", 1, MINUTES, now).await.reservation.unwrap().id;
    let report = report("ann", None, 1, now);
    settle(&ledger, &plans, settled, &report, now).await.unwrap();
    let expired = reserve(&ledger, &plans, "ann", 1, MINUTES, now).await.reservation.unwrap().id;
    let week = now.plus(7 * 24 * 60 * MINUTES);
    for (at, known) in [(week, true), (week.plus(MINUTES), false)] {
        ledger.tick(Some(&plans), at).unwrap();
        for id in [settled, expired] {
            assert_eq!(ledger.reservation(id, at).unwrap().is_some(), known, "at {at}");
        }
    }
    ledger.tick(Some(&plans), week.plus(2 * 24 * 60 * MINUTES)).unwrap();
    for id in [settled, expired] {
        assert!(store.reservation(id).unwrap().is_none());
    }
    assert_eq!(tokens(&used(&ledger, &plans, "ann", Period::AllTime, now).await), 1);
}
