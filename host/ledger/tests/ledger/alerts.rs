//! Alerts: numbered for ever, listed by level, and read once.

use std::sync::Arc;

use chrono_tz::Tz;
use tollgate_domain::{
    Alert, ChannelKind, PlanBook, Preferences, Reading, Span, Timestamp, Window,
};
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
    ledger.record(&report.into(), &Turn::default(), &plans, now, warn).await.unwrap()
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

/// Plans with less and less room, in windows that the others do not count.
fn shrinking() -> PlanBook {
    let seconds = "sliding:3600".parse().unwrap();
    book(vec![
        plan("free", vec![quota("tokens", "tokens", Window::Day, "1000")]),
        plan("half", vec![quota("tokens", "tokens", Window::Day, "10")]),
        plan(
            "full",
            vec![
                quota("tokens", "tokens", Window::Week, "6"),
                quota("lately", "tokens", seconds, "6"),
                quota("none", "calls", Window::Month, "0"),
                quota("calls", "calls", Window::Month, "100"),
            ],
        ),
    ])
}

/// Has a level change to another of them.
async fn change<S: Store>(ledger: &Ledger<S>, path: &str, plan: &str, zone: Tz, now: Timestamp) {
    subscribe_in(zone, ledger, &shrinking(), path, plan, now, warn).await;
}

/// What a level's alerts say, the oldest first: quotas and thresholds.
fn said<S: Store>(ledger: &Ledger<S>, path: &str) -> Vec<String> {
    let all = ledger.alerts(&subject(path), false, 0, 1000).unwrap().alerts.into_iter().rev();
    let say = |alert: Alert| format!("{} {}", alert.quota, alert.title);
    all.map(|alert| say(alert.raised.alert)).collect()
}

async fn use_some<S: Store>(ledger: &Ledger<S>, path: &str, tokens: u64, now: Timestamp) {
    let (report, plans) = (report(path, None, tokens, now), shrinking());
    ledger.record(&report.into(), &Turn::default(), &plans, now, warn).await.unwrap();
}

on_every_store! {
    async fn a_change_of_plan_raises_at_once_what_is_due_under_its_limits(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        change(&ledger, "acme", "half", Tz::UTC, now).await;
        change(&ledger, "acme/ann", "free", Tz::UTC, now).await;
        use_some(&ledger, "acme/ann", 3, now.minus(24 * 60 * MINUTES)).await;
        use_some(&ledger, "acme/ann", 4, now).await;
        assert_eq!((said(&ledger, "acme"), said(&ledger, "acme/ann")), (vec![], vec![]));

        change(&ledger, "acme/ann", "half", Tz::UTC, now).await;
        assert_eq!(said(&ledger, "acme/ann"), [""; 0], "4 of 10 are no half of them");
        change(&ledger, "acme/ann", "full", Tz::UTC, now).await;
        let expected = ["tokens 50 %", "tokens 100 %", "lately 50 %"];
        assert_eq!(said(&ledger, "acme/ann"), expected);
        assert_eq!(said(&ledger, "acme"), [""; 0], "its plan is the same");

        change(&ledger, "acme/ann", "full", Tz::UTC, now).await;
        use_some(&ledger, "acme/ann", 0, now).await;
        assert_eq!(said(&ledger, "acme/ann"), expected, "each once");
        use_some(&ledger, "acme/ann", 2, now).await;
        assert_eq!(said(&ledger, "acme/ann"), [&expected[..], &["lately 100 %"]].concat());
        let last = ledger.alerts(&subject("acme/ann"), true, 0, 1).unwrap();
        assert_eq!((last.total, last.unread), (4, 4));
        for listed in ledger.alerts(&subject("acme/ann"), false, 0, 10).unwrap().alerts {
            assert_eq!(listed.period.as_str(), "2025-01");
            assert_eq!(ledger.alert(listed.id).unwrap().raised, listed.raised);
            ledger.read_alert(listed.id, &shrinking(), now).await.unwrap();
        }
        assert_eq!(ledger.alerts(&subject("acme/ann"), true, 0, 1).unwrap().total, 0);
    }

    async fn a_change_of_plan_and_of_time_zone_counts_by_the_new_one(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        for (path, zone, expected) in [
            ("ann", Tz::UTC, &[][..]),
            // There, the day began at 10:30 of the day before.
            ("bob", Tz::Pacific__Kiritimati, &["tokens 50 %"]),
        ] {
            use_some(&ledger, path, 7, at("2025-01-14T11:00:00Z")).await;
            change(&ledger, path, "half", zone, at("2025-01-15T09:00:00Z")).await;
            assert_eq!(said(&ledger, path), expected, "{path}");
        }
        change(&ledger, "bob", "half", Tz::UTC, now).await;
        assert_eq!(said(&ledger, "bob"), ["tokens 50 %"]);
    }

    async fn alerts_of_plans_and_of_use_have_numbers_of_their_own(store: Arc<impl Store>) {
        let (ledger, now) = (Arc::new(Ledger::open(store).unwrap()), noon());
        let names: Vec<_> = (0..60).map(|number| format!("ann-{number}")).collect();
        for name in &names {
            use_some(&ledger, name, 5, now).await;
        }
        // Many units share a block.
        let changes = names.iter().cloned().enumerate().map(|(number, name)| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                match number % 3 {
                    0 => use_some(&ledger, &name, 995, now).await,
                    1 => change(&ledger, &name, "half", Tz::UTC, now).await,
                    _ => change(&ledger, &name, "full", Tz::UTC, now).await,
                }
            })
        });
        for change in changes.collect::<Vec<_>>() {
            change.await.unwrap();
        }
        let mut numbers = Vec::new();
        for (number, name) in names.iter().enumerate() {
            let expected = match number % 3 {
                0 => &["tokens 50 %", "tokens 100 %"][..],
                1 => &["tokens 50 %"],
                _ => &["tokens 50 %", "lately 50 %"],
            };
            assert_eq!(said(&ledger, name), expected, "{name}");
            let alerts = ledger.alerts(&subject(name), false, 0, 10).unwrap().alerts;
            assert!(alerts.iter().all(|alert| alert.raised.alert.subject == subject(name)));
            numbers.extend(alerts.iter().map(|alert| alert.id));
        }
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 100);
    }

    async fn a_change_of_plan_gets_through_where_a_level_is_never_at_rest(store: Arc<impl Store>) {
        let (ledger, now) = (Arc::new(Ledger::open(store).unwrap()), noon());
        let uses = (0..8).map(|_| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    use_some(&ledger, "ann", 1, now).await;
                }
            })
        });
        let uses: Vec<_> = uses.collect();
        use_some(&ledger, "ann", 10, now).await;
        for plan in ["half", "full", "half"] {
            change(&ledger, "ann", plan, Tz::Asia__Kolkata, now).await;
        }
        for one in uses {
            one.await.unwrap();
        }
        use_some(&ledger, "ann", 1, now).await;
        let mut said = said(&ledger, "ann");
        said.sort_unstable();
        said.dedup();
        assert!(said.contains(&"tokens 50 %".into()) && said.contains(&"tokens 100 %".into()), "{said:?}");
        let alerts = ledger.alerts(&subject("ann"), false, 0, 100).unwrap().alerts;
        let of_half = alerts.iter().filter(|alert| alert.raised.alert.limit == 10.into());
        assert_eq!(of_half.count(), 2, "each once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_change_of_plan_raised_outlives_a_crash_and_comes_back_from_a_backup() {
    for condensed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let open = |folder| Ledger::open(Arc::new(SledStore::open(folder).unwrap())).unwrap();
        let (ledger, now) = (open(folder.path()), noon());
        let mail = vec!["ann@example.com".parse().unwrap()];
        let preferences = Preferences { emails: mail, ..Preferences::default() };
        ledger.prefer(None, Some(preferences), now).await.unwrap();
        use_some(&ledger, "ann", 5, now).await;
        change(&ledger, "ann", "full", Tz::Asia__Kolkata, now).await;
        let expected = ["tokens 50 %", "lately 50 %"];
        let due = |ledger: &Ledger<SledStore>| {
            ledger.deliveries_due(ChannelKind::Email, now, 10, |_, _| true).unwrap().len()
        };
        assert_eq!((said(&ledger, "ann"), due(&ledger)), (expected.map(String::from).to_vec(), 2));
        if condensed {
            ledger.tick(Some(&shrinking()), now).unwrap();
        }
        let backup = backup_of(ledger);
        let restored = tempfile::tempdir().unwrap();
        restore(&backup[..], restored.path(), |_, _, _| {}).unwrap();
        for folder in [folder.path(), restored.path()] {
            let store = Arc::new(SledStore::open(folder).unwrap());
            let verified = store.verify(&tollgate_ledger::forgettable(now), |_, _| {});
            assert_eq!(verified.differences, []);
            let ledger = Ledger::open(store.clone()).unwrap();
            assert_eq!(
                (said(&ledger, "ann"), due(&ledger)),
                (expected.map(String::from).to_vec(), 2)
            );
            use_some(&ledger, "ann", 0, now).await;
            change(&ledger, "ann", "full", Tz::Asia__Kolkata, now).await;
            assert_eq!(
                (said(&ledger, "ann"), due(&ledger)),
                (expected.map(String::from).to_vec(), 2)
            );
            ledger.close(now).unwrap();
            let verified = store.verify(&tollgate_ledger::forgettable(now), |_, _| {});
            assert_eq!(verified.differences, []);
        }
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
