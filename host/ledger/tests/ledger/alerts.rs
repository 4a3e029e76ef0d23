//! Alerts: numbered for ever, listed by level, and read once.

use std::sync::Arc;

use tollgate_domain::{Alert, PlanBook, Reading, Span, Timestamp, Window};
use tollgate_ledger::store::Store;
use tollgate_ledger::store::sled::{SledStore, restore};
use tollgate_ledger::{Alerted, Ledger, LedgerError, Recorded, Turn};

use crate::support::*;

/// Warns from half of a limit on, and at all of it.
fn warn(readings: &[Reading]) -> Vec<Alert> {
    let due = |reading: &Reading, threshold| Alert {
        subject: reading.subject.clone(),
        quota: reading.quota.clone(),
        provider: None,
        limit: reading.limit,
        threshold,
        kind: "usage_warning".into(),
        severity: "info".into(),
        title: format!("{threshold} %"),
        message: String::new(),
    };
    let reached = |reading: &Reading, threshold: u32| {
        reading.after.saturating_add(reading.after) >= reading.limit && threshold == 50
            || reading.after >= reading.limit
    };
    let all = readings.iter().flat_map(|reading| [50, 100].map(|threshold| (reading, threshold)));
    all.filter(|(r, threshold)| reached(r, *threshold)).map(|(r, t)| due(r, t)).collect()
}

fn plans() -> PlanBook {
    book(vec![plan("free", vec![quota("tokens", "tokens", Window::Day, "10")])])
}

async fn use_tokens<S: Store>(
    ledger: &Ledger<S>,
    path: &str,
    tokens: u64,
    now: Timestamp,
) -> Recorded {
    let (report, plans) = (report(path, None, tokens, now), plans());
    ledger.record(&report, &Turn::default(), &plans, now, warn).await.unwrap()
}

fn thresholds(alerts: &[Alerted]) -> Vec<u32> {
    alerts.iter().map(|alert| alert.raised.alert.threshold).collect()
}

on_every_store! {
    async fn alerts_are_listed_by_level_the_newest_first(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        subscribe(&ledger, &plans(), "acme/ann", "free", now).await;
        subscribe(&ledger, &plans(), "acme", "free", now).await;
        let mut raised = 0;
        for day in 0..4_u32 {
            let then = now.plus(day * 24 * 60 * MINUTES);
            raised += use_tokens(&ledger, "acme/ann", 5, then).await.event.raised.len();
            raised += use_tokens(&ledger, "acme/bob", 5, then).await.event.raised.len();
        }
        let [acme, ann, bob] = ["acme", "acme/ann", "acme/bob"]
            .map(|level| ledger.alerts(&subject(level), false, 0, 1000).unwrap());
        assert_eq!(thresholds(&acme.alerts), [100, 50, 100, 50, 100, 50, 100, 50]);
        assert_eq!(thresholds(&ann.alerts), [50; 4]);
        assert_eq!((bob.alerts.len(), bob.total, bob.unread), (0, 0, 0));
        assert_eq!((acme.total, acme.unread, ann.total), (8, 8, 4));
        assert_eq!(raised, 12);
        for list in [&acme, &ann] {
            assert!(list.alerts.is_sorted_by(|newer, older| newer.id > older.id));
        }
        let numbers = [acme.alerts, ann.alerts].concat();
        let mut numbers: Vec<_> = numbers.iter().map(|alert| alert.id.number()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 12, "each has a number of its own");
        assert!(numbers.iter().all(|number| *number < 1 << 53));

        let some = ledger.alerts(&subject("acme"), false, 0, 3).unwrap();
        assert_eq!((thresholds(&some.alerts), some.total), (vec![100, 50, 100], 8));
        let second = Window::Day.span(now.plus(24 * 60 * MINUTES), &Default::default());
        let of_second = ledger.alerts_in(&subject("acme"), &second, 100).unwrap();
        assert!(of_second.iter().all(|alert| second.contains(alert.raised.raised_at)));
        assert_eq!(thresholds(&of_second), [100, 50]);
        let from_noon_to_noon = Span { start: now, end: Some(now.plus(24 * 60 * MINUTES)) };
        let of_first = ledger.alerts_in(&subject("acme"), &from_noon_to_noon, 100).unwrap();
        assert!(of_first.iter().all(|alert| alert.raised.raised_at == now), "its end is not in it");
        assert_eq!(thresholds(&of_first), [100, 50]);
        let always = Span { start: Timestamp::EPOCH, end: None };
        assert_eq!(ledger.alerts_in(&subject("acme"), &always, 5).unwrap().len(), 5);
    }

    async fn an_alert_is_known_by_the_number_that_its_fact_told(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        let recorded = use_tokens(&ledger, "ann", 10, now).await;
        assert_eq!(thresholds(&recorded.alerts), [50, 100]);
        let mut listed = ledger.alerts(&subject("ann"), false, 0, 10).unwrap().alerts;
        listed.reverse();
        assert_eq!(listed, recorded.alerts);
        ledger.read_alert(listed[1].id, &plans(), now).await.unwrap();
        let listed = ledger.alerts(&subject("ann"), false, 0, 10).unwrap().alerts;
        assert_eq!([listed[0].read_at, listed[1].read_at], [Some(now), None]);
        let again = ledger.event(&subject("ann"), &recorded.id.to_string()).unwrap().unwrap();
        assert_eq!(again.alerts, recorded.alerts, "what a fact says stays as it was");
    }

    async fn of_two_hosts_that_race_one_raises_each_alert(store: Arc<impl Store>) {
        let open = || Arc::new(Ledger::open(store.clone()).unwrap());
        let (hosts, now) = ([open(), open()], noon());
        for round in 0..40 {
            // One of them crosses both thresholds, or each of them one.
            let (name, tokens) = (format!("ann-{round}"), if round % 2 == 0 { 10 } else { 5 });
            let uses = hosts.clone().map(|host| {
                let name = name.clone();
                tokio::spawn(async move { use_tokens(&host, &name, tokens, now).await })
            });
            let mut told = Vec::new();
            for used in uses {
                told.extend(thresholds(&used.await.unwrap().alerts));
            }
            told.sort_unstable();
            assert_eq!(told, [50, 100], "as the hosts told it, of {name}");
            for host in &hosts {
                let mut listed = thresholds(&host.alerts(&subject(&name), false, 0, 10).unwrap().alerts);
                listed.sort_unstable();
                assert_eq!(listed, [50, 100], "as {name}'s are listed");
            }
        }
    }

    async fn an_alert_is_read_once(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store.clone()).unwrap(), noon());
        let recorded = use_tokens(&ledger, "ann", 10, now).await;
        let id = recorded.alerts[0].id;
        let (plans, later) = (plans(), now.plus(MINUTES));
        let read = |at| ledger.read_alert(id, &plans, at);
        let reads = tokio::join!(read(now), read(now), read(later), read(later));
        assert!(matches!(reads, (Ok(()), Ok(()), Ok(()), Ok(()))), "{reads:?}");
        ledger.read_alert(id, &plans, later).await.unwrap();
        let list = ledger.alerts(&subject("ann"), false, 0, 10).unwrap();
        assert_eq!((list.total, list.unread), (2, 1));
        let read = list.alerts.iter().find(|alert| alert.id == id).unwrap();
        assert!(read.read_at.is_some());
        let unread = ledger.alerts(&subject("ann"), true, 0, 10).unwrap();
        assert_eq!((thresholds(&unread.alerts), unread.total), (vec![100], 1));
        assert_eq!(store.blocks().count(), 2, "a repetition adds nothing");
    }

    async fn what_never_was_an_alert_is_not_read(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        let recorded = use_tokens(&ledger, "ann", 10, now).await;
        let last = recorded.alerts[1].id.number();
        for number in [last + 1, last + (1 << 12), u64::MAX] {
            let read = ledger.read_alert(number.to_string().parse().unwrap(), &plans(), now).await;
            assert!(matches!(read, Err(LedgerError::UnknownAlert)), "{number}");
        }
        assert_eq!(ledger.alerts(&subject("ann"), true, 0, 10).unwrap().total, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_what_was_read_outlive_a_crash_and_come_back_from_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let open = |folder| Ledger::open(Arc::new(SledStore::open(folder).unwrap())).unwrap();
    let (ledger, plans) = (open(folder.path()), plans());
    for day in 0..12_u32 {
        let now = noon().plus(day * 24 * 60 * MINUTES);
        use_tokens(&ledger, "ann", 10, now).await;
        if day % 2 == 0 {
            ledger.tick(None, now).unwrap();
        }
        let id = ledger.alerts(&subject("ann"), true, 0, 1).unwrap().alerts[0].id;
        ledger.read_alert(id, &plans, now).await.unwrap();
    }
    let expected = ledger.alerts(&subject("ann"), false, 0, 100).unwrap();
    assert_eq!((expected.total, expected.unread), (24, 12));
    let same = |ledger: &Ledger<SledStore>| {
        let found = ledger.alerts(&subject("ann"), false, 0, 100).unwrap();
        assert_eq!(found.alerts, expected.alerts);
        assert_eq!((found.total, found.unread), (24, 12));
    };
    let backup = backup_of(ledger);
    same(&open(folder.path()));

    let folder = tempfile::tempdir().unwrap();
    restore(&backup[..], folder.path(), |_, _, _| {}).unwrap();
    let store = Arc::new(SledStore::open(folder.path()).unwrap());
    let verified = store.verify(&tollgate_ledger::forgettable(noon()), |_, _| {});
    assert_eq!(verified.differences, []);
    same(&Ledger::open(store).unwrap());
}
