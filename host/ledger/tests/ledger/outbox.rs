//! The outbox: every alert's deliveries, until each has arrived or nobody tries any more.

use std::sync::Arc;

use chrono_tz::Tz;
use tollgate_domain::{
    Alert, Channel, ChannelKind, Digest, Every, PlanBook, Preferences, QuietHours, Reading,
    SubjectId, Timestamp, Webhook, Window,
};
use tollgate_ledger::store::Store;
use tollgate_ledger::store::sled::{SledStore, restore};
use tollgate_ledger::{
    Alerted, DeliveryFilter, DeliveryId, DeliveryState, Ledger, LedgerError, Listed, Progress,
    Turn, forgettable,
};

use crate::support::*;

/// Warns of half of a limit, and then of all of it, which is an error.
fn warn(readings: &[Reading]) -> Vec<Alert> {
    let due = |reading: &Reading, threshold, severity: &str| Alert {
        subject: reading.subject.clone(),
        quota: reading.quota.clone(),
        provider: None,
        limit: reading.limit,
        threshold,
        kind: "usage_warning".into(),
        severity: severity.into(),
        title: format!("{threshold} %"),
        message: String::new(),
    };
    let mut alerts = Vec::new();
    for reading in readings {
        if reading.after.saturating_add(reading.after) >= reading.limit {
            alerts.push(due(reading, 50, "warning"));
        }
        if reading.after >= reading.limit {
            alerts.push(due(reading, 100, "error"));
        }
    }
    alerts
}

fn plans() -> PlanBook {
    book(vec![plan("free", vec![quota("tokens", "tokens", Window::Day, "10")])])
}

fn mail(address: &str) -> Preferences {
    Preferences { emails: vec![address.parse().unwrap()], ..Preferences::default() }
}

async fn prefer<S: Store>(ledger: &Ledger<S>, path: &str, preferences: Preferences) {
    ledger.prefer(Some(subject(path)), Some(preferences), noon()).await.unwrap();
}

async fn raise<S: Store>(
    ledger: &Ledger<S>,
    path: &str,
    tokens: u64,
    now: Timestamp,
) -> Vec<Alerted> {
    let (report, plans) = (report(path, None, tokens, now), plans());
    ledger.record(&report.into(), &Turn::default(), &plans, now, warn).await.unwrap().alerts
}

fn all<S: Store>(ledger: &Ledger<S>) -> Vec<Listed> {
    let filter = DeliveryFilter { subject: None, state: None, before: None, limit: 10_000 };
    ledger.deliveries(&filter).unwrap()
}

fn due<S: Store>(ledger: &Ledger<S>, kind: ChannelKind, now: Timestamp) -> Vec<DeliveryId> {
    let due = ledger.deliveries_due(kind, now, 1000, |_, _| true).unwrap();
    due.into_iter().map(|(id, _)| id).collect()
}

/// The addresses that an alert's deliveries go to, and by whose preferences.
fn places<S: Store>(ledger: &Ledger<S>, alerts: &[Alerted]) -> Vec<(String, Option<String>)> {
    let of_alerts = all(ledger).into_iter().rev();
    let of_alerts = of_alerts.filter(|(id, _)| alerts.iter().any(|alert| alert.id == id.alert));
    let place = |(_, delivery): Listed| {
        let address = delivery.channel.address().unwrap_or("log").to_owned();
        (address, delivery.owner.as_ref().map(SubjectId::to_string))
    };
    of_alerts.map(place).collect()
}

on_every_store! {
    async fn an_alert_goes_where_the_nearest_level_says_or_else_where_everybodys_go(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        let team = Preferences { log: true, ..mail("team@example.com") };
        let webhook = Webhook {
            url: "https://example.com/hook".parse().unwrap(),
            secrets: vec!["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap()],
        };
        prefer(&ledger, "acme", Preferences { webhooks: vec![webhook], ..Preferences::default() }).await;
        prefer(&ledger, "acme/team", team).await;
        prefer(&ledger, "acme/team/quiet", Preferences::default()).await;
        for path in ["acme/other/ann", "acme/team/ann", "acme/team/quiet", "zoe"] {
            subscribe(&ledger, &plans(), path, "free", now).await;
        }
        assert_eq!(places(&ledger, &raise(&ledger, "zoe", 5, now).await), []);
        ledger.prefer(None, Some(mail("ops@example.com")), now).await.unwrap();
        for (path, expected) in [
            ("acme/other/ann", vec![("https://example.com/hook", Some("acme"))]),
            ("acme/team/ann", vec![("team@example.com", Some("acme/team")), ("log", Some("acme/team"))]),
            ("acme/team/quiet", vec![]),
            ("zoe", vec![("ops@example.com", None)]),
        ] {
            let found = places(&ledger, &raise(&ledger, path, 10, now).await[..1]);
            let found: Vec<_> = found.iter().map(|(a, o)| (&a[..], o.as_deref())).collect();
            assert_eq!(found, expected, "{path}");
        }
        ledger.prefer(Some(subject("acme/team")), None, now).await.unwrap();
        assert_eq!(ledger.preferences(Some(&subject("acme/team"))).unwrap(), None);
        let tomorrow = now.plus(24 * 60 * MINUTES);
        let found = places(&ledger, &raise(&ledger, "acme/team/ann", 5, tomorrow).await);
        assert_eq!(found, [("https://example.com/hook".into(), Some("acme".into()))]);
    }

    async fn two_alerts_of_one_event_have_deliveries_each(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        prefer(&ledger, "ann", mail("ann@example.com")).await;
        let alerts = raise(&ledger, "ann", 10, now).await;
        assert_eq!(alerts.len(), 2);
        let ids = due(&ledger, ChannelKind::Email, now);
        let expected: Vec<_> =
            alerts.iter().map(|alert| DeliveryId { alert: alert.id, ordinal: 0 }).collect();
        assert_eq!(ids, expected);
        assert_eq!(due(&ledger, ChannelKind::Webhook, now), []);
        assert_eq!(due(&ledger, ChannelKind::Email, now.minus(MINUTES)), expected, "time never runs backwards");
        assert_eq!(ledger.alert(alerts[1].id).unwrap().raised, alerts[1].raised);
    }

    async fn a_delivery_is_pending_until_it_is_sent_or_dead(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store.clone()).unwrap(), noon());
        prefer(&ledger, "ann", mail("ann@example.com")).await;
        let alerts = raise(&ledger, "ann", 10, now).await;
        let [first, second] = due(&ledger, ChannelKind::Email, now).try_into().unwrap();
        let later = now.plus(5 * MINUTES);
        let failed = Progress::failed("refused", Some(later));
        ledger.progress(vec![(first, Progress::Sent), (second, failed)], now).await.unwrap();
        ledger.tick(None, now).unwrap();
        assert_eq!(due(&ledger, ChannelKind::Email, now), []);
        assert_eq!(due(&ledger, ChannelKind::Email, later), [second]);
        let own = store.delivery(second).unwrap().unwrap();
        assert_eq!((own.state, own.attempts, own.error.as_deref()), (DeliveryState::Pending, 1, Some("refused")));
        let sent = |ledger: &Ledger<_>| {
            let alerts = ledger.alerts(&subject("ann"), false, 0, 10).unwrap().alerts;
            alerts.iter().rev().map(|alert| alert.sent_at).collect::<Vec<_>>()
        };
        assert_eq!(sent(&ledger), [Some(now), None]);

        ledger.progress(vec![(second, Progress::failed("gone", None))], later).await.unwrap();
        assert_eq!(due(&ledger, ChannelKind::Email, later.plus(9999 * MINUTES)), []);
        let of_state = |state, subject: Option<&str>| {
            let subject = subject.map(crate::support::subject);
            let filter = DeliveryFilter { subject, state: Some(state), before: None, limit: 10 };
            let found = ledger.deliveries(&filter).unwrap();
            found.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
        };
        for whose in [None, Some("ann")] {
            assert_eq!(of_state(DeliveryState::Dead, whose), [second]);
            assert_eq!(of_state(DeliveryState::Sent, whose), [first]);
            assert_eq!(of_state(DeliveryState::Pending, whose), []);
        }
        assert_eq!(of_state(DeliveryState::Dead, Some("bob")), []);

        let again = ledger.retry_delivery(second, later).await.unwrap();
        assert_eq!((again.state, again.attempts, again.due_at), (DeliveryState::Pending, 0, later.plus(9999 * MINUTES)));
        let now = later.plus(9999 * MINUTES);
        assert_eq!(due(&ledger, ChannelKind::Email, now), [second]);
        ledger.progress(vec![(second, Progress::Sent)], now).await.unwrap();
        assert_eq!(sent(&ledger)[1], Some(now));
        let of_sent = ledger.retry_delivery(second, now).await;
        assert!(matches!(of_sent, Err(LedgerError::DeliverySent)), "{of_sent:?}");
        let unknown = DeliveryId { alert: alerts[0].id, ordinal: 7 };
        let of_unknown = ledger.retry_delivery(unknown, now).await;
        assert!(matches!(of_unknown, Err(LedgerError::UnknownDelivery)), "{of_unknown:?}");
    }

    async fn lists_go_on_before_the_last_one(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        let both = Preferences { log: true, ..mail("ann@example.com") };
        prefer(&ledger, "ann", both).await;
        let mut raised = 0;
        for day in 0..5_u32 {
            raised += raise(&ledger, "ann", 10, now.plus(day * 24 * 60 * MINUTES)).await.len();
            if day == 2 {
                ledger.tick(None, now).unwrap();
            }
        }
        let whole = all(&ledger);
        assert_eq!(whole.len(), raised * 2);
        assert!(whole.is_sorted_by(|newer, older| newer.0 > older.0));
        for subject in [None, Some(subject("ann"))] {
            for state in [None, Some(DeliveryState::Pending)] {
                let (mut listed, mut before) = (Vec::new(), None);
                loop {
                    let subject = subject.clone();
                    let filter = DeliveryFilter { subject, state, before, limit: 3 };
                    let page = ledger.deliveries(&filter).unwrap();
                    let Some((last, _)) = page.last() else { break };
                    before = Some(*last);
                    assert!(page.len() <= 3);
                    listed.extend(page);
                }
                assert_eq!(listed, whole, "{subject:?} {state:?}");
            }
        }
        let some = ledger.deliveries_due(ChannelKind::Log, now, 3, |_, _| true).unwrap();
        let is_wanted = |id: DeliveryId, _: &_| id != some[0].0;
        let others = ledger.deliveries_due(ChannelKind::Log, now, 2, is_wanted).unwrap();
        assert_eq!(others, some[1..], "the first so many of those that are wanted");
    }

    async fn deliveries_wait_for_their_digest_and_for_the_end_of_quiet_hours(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store.clone()).unwrap(), noon());
        let quiet_hours = QuietHours {
            from: "11:00".parse().unwrap(),
            to: "12:30".parse().unwrap(),
            timezone: Tz::UTC,
            except_errors: true,
        };
        let quiet = Preferences { quiet_hours: Some(quiet_hours), ..mail("ann@example.com") };
        prefer(&ledger, "ann", quiet).await;
        let every = Every::Minutes(60);
        let digest = Digest { every, timezone: Tz::UTC, except_errors: false };
        prefer(&ledger, "bob", Preferences { digest: Some(digest), ..mail("bob@example.com") }).await;
        for (path, expected) in [("ann", [30, 0]), ("bob", [60, 60])] {
            let alerts = raise(&ledger, path, 10, now).await;
            let due = alerts.iter().map(|alert| {
                let id = DeliveryId { alert: alert.id, ordinal: 0 };
                store.delivery(id).unwrap().unwrap().due_at
            });
            let expected = expected.map(|minutes: u32| now.plus(minutes * MINUTES));
            assert_eq!(due.collect::<Vec<_>>(), expected, "{path}");
        }
    }

    async fn other_severities_are_told_to_nobody(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        let severities = vec!["error".to_owned()];
        prefer(&ledger, "ann", Preferences { severities, ..mail("ann@example.com") }).await;
        let alerts = raise(&ledger, "ann", 10, now).await;
        let told: Vec<_> = all(&ledger).iter().map(|(id, _)| id.alert).collect();
        assert_eq!(told, [alerts[1].id]);
    }
}

/// Whatever was in rows, in memory or only in blocks: a start finds the same outbox again, and so
/// does a restore.
#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_outlives_crashes_and_comes_back_from_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let open = |folder| Ledger::open(Arc::new(SledStore::open(folder).unwrap())).unwrap();
    let mut ledger = open(folder.path());
    let mut now = noon();
    for day in 0..24_u32 {
        now = noon().plus(day * 24 * 60 * MINUTES);
        match day % 6 {
            0 => prefer(&ledger, "acme", mail("a@example.com")).await,
            2 => {
                prefer(&ledger, "acme/ann", Preferences { log: true, ..mail("b@example.com") })
                    .await
            }
            4 => ledger.prefer(Some(subject("acme/ann")), None, now).await.unwrap(),
            _ => {}
        }
        subscribe(&ledger, &plans(), "acme/ann", "free", now).await;
        raise(&ledger, "acme/ann", 5 + u64::from(day % 2) * 5, now).await;
        if day % 3 == 0 {
            ledger.tick(None, now).unwrap();
        }
        let due = due(&ledger, ChannelKind::Email, now);
        let again_at = (day % 4 > 0).then(|| now.plus(day * 600 * MINUTES));
        let progress = [
            Progress::Sent,
            Progress::failed("no", again_at),
            Progress::Postponed(now.plus(MINUTES)),
        ];
        let progress =
            due.into_iter().zip(progress.into_iter().cycle().skip(day as usize)).collect();
        ledger.progress(progress, now).await.unwrap();
        if day % 5 == 0 {
            // As a crash would leave it.
            let before = all(&ledger);
            drop(ledger);
            ledger = open(folder.path());
            assert_eq!(all(&ledger), before, "day {day}");
        }
    }
    let expected = all(&ledger);
    for state in DeliveryState::ALL {
        assert!(expected.iter().any(|(_, delivery)| delivery.state == state), "{state:?}");
    }
    assert!(expected.iter().any(|(_, delivery)| delivery.channel == Channel::Log));
    let pending = due(&ledger, ChannelKind::Email, now);
    let backup = backup_of(ledger);
    let store = SledStore::open(folder.path()).unwrap();
    assert_eq!(store.verify(&forgettable(now), |_, _| {}).differences, []);
    drop(store);

    let folder = tempfile::tempdir().unwrap();
    restore(&backup[..], folder.path(), |_, _, _| {}).unwrap();
    let store = SledStore::open(folder.path()).unwrap();
    assert_eq!(store.verify(&forgettable(now), |_, _| {}).differences, []);
    let ledger = Ledger::open(Arc::new(store)).unwrap();
    assert_eq!(all(&ledger), expected);
    assert_eq!(due(&ledger, ChannelKind::Email, now), pending);
    assert_eq!(
        ledger.preferences(Some(&subject("acme"))).unwrap().as_deref(),
        Some(&mail("a@example.com"))
    );
}
