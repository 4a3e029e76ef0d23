//! No two callers share the last unit, at whatever level it is.

use std::sync::Arc;
use std::time::Duration;

use tollgate_domain::{Alert, Reading, Window};
use tollgate_ledger::store::memory::MemoryStore;
use tollgate_ledger::{Ledger, Period, State, Turn};

use crate::support::*;

fn ledger() -> Ledger<MemoryStore> {
    Ledger::open(Arc::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_concurrent_reservations_exactly_as_many_succeed_as_fit() {
    let ledger = Arc::new(ledger());
    let plans =
        Arc::new(book(vec![plan("free", vec![quota("calls", "calls", Window::Month, "100")])]));
    let tasks: Vec<_> = (0..300)
        .map(|i| {
            let (ledger, plans) = (ledger.clone(), plans.clone());
            tokio::spawn(async move {
                let path = format!("acme/user-{}", i % 7);
                reserve(&ledger, &plans, &path, 1, MINUTES, noon()).await.decision.allowed()
            })
        })
        .collect();
    let mut granted = 0;
    for task in tasks {
        granted += u32::from(task.await.unwrap());
    }
    assert_eq!(granted, 100);
}

#[tokio::test]
async fn all_levels_are_granted_or_none() {
    let (ledger, now) = (ledger(), noon());
    let plans = book(vec![
        plan("team", vec![quota("tokens", "tokens", Window::Month, "100")]),
        plan("member", vec![quota("tokens", "tokens", Window::Month, "60")]),
    ]);
    subscribe(&ledger, &plans, "acme", "team", now).await;
    for member in ["acme/ann", "acme/bob"] {
        subscribe(&ledger, &plans, member, "member", now).await;
    }
    assert!(reserve(&ledger, &plans, "acme/ann", 60, MINUTES, now).await.decision.allowed());

    let refused = reserve(&ledger, &plans, "acme/bob", 60, MINUTES, now).await.decision;
    let denial = refused.denial.unwrap();
    assert_eq!(refused.snapshot.levels[denial.level].subject.as_str(), "acme");
    let bob = used(&ledger, &plans, "acme/bob", Period::Current, now).await;
    assert_eq!(bob.quotas[0].reserved, 0.into(), "a refused call consumes nothing on any level");

    assert!(reserve(&ledger, &plans, "acme/bob", 40, MINUTES, now).await.decision.allowed());
}

#[tokio::test]
async fn a_hold_expires_by_time_alone_and_is_still_settled_late() {
    let (ledger, now) = (ledger(), noon());
    let plans = book(vec![plan("free", vec![quota("calls", "calls", Window::Month, "1")])]);
    let hold = reserve(&ledger, &plans, "ann", 5, MINUTES, now).await.reservation.unwrap();
    let later = now.plus(MINUTES);
    let just_before = later.minus(Duration::from_micros(1));
    assert!(!reserve(&ledger, &plans, "ann", 5, MINUTES, just_before).await.decision.allowed());
    assert_eq!(hold.state(later), State::Expired);
    assert!(reserve(&ledger, &plans, "ann", 5, MINUTES, later).await.decision.allowed());

    let late = report("ann", None, 5, hold.created_at);
    let settled = settle(&ledger, &plans, hold.id, &late, later).await.unwrap();
    assert!(settled.event.late);
    let again = settle(&ledger, &plans, hold.id, &late, later).await.unwrap();
    assert!(again.duplicate && again.event.late);
}

#[tokio::test]
async fn settling_replaces_the_hold_by_the_truth_above_or_below_it() {
    for truth in [3, 10, 25] {
        let (ledger, now) = (ledger(), noon());
        let plans = book(vec![plan("free", vec![quota("tokens", "tokens", Window::Day, "20")])]);
        let hold = reserve(&ledger, &plans, "ann", 10, MINUTES, now).await.reservation.unwrap();
        let report = report("ann", None, truth, now);
        let settled = settle(&ledger, &plans, hold.id, &report, now).await.unwrap();
        assert_eq!(settled.event.overage, truth > 20);
        let quota = &used(&ledger, &plans, "ann", Period::Current, now).await.quotas[0];
        assert_eq!((quota.used, quota.reserved), (truth.into(), 0.into()));
    }
}

#[tokio::test]
async fn a_hold_counts_in_the_window_it_was_made_in_also_when_settled_after_the_reset() {
    let (ledger, midnight) = (ledger(), at("2025-01-16T00:00:00Z"));
    let plans = book(vec![plan("free", vec![quota("calls", "calls", Window::Day, "1")])]);
    let before = midnight.minus(MINUTES / 2);
    let hold = reserve(&ledger, &plans, "ann", 5, MINUTES, before).await.reservation.unwrap();
    assert!(!reserve(&ledger, &plans, "ann", 5, MINUTES, before).await.decision.allowed());
    assert!(reserve(&ledger, &plans, "ann", 5, MINUTES, midnight).await.decision.allowed());

    let report = report("ann", None, 5, hold.created_at);
    settle(&ledger, &plans, hold.id, &report, midnight).await.unwrap();
    let quota = &used(&ledger, &plans, "ann", Period::Current, midnight).await.quotas[0];
    assert_eq!((quota.used, quota.reserved), (0.into(), 1.into()));
}

#[tokio::test]
async fn a_limit_on_cost_holds_the_estimate() {
    let (ledger, now) = (ledger(), noon());
    let plans = book(vec![plan("free", vec![quota("cost", "cost", Window::Month, "0.010")])]);
    assert!(reserve(&ledger, &plans, "ann", 6, MINUTES, now).await.decision.allowed());
    assert!(!reserve(&ledger, &plans, "ann", 5, MINUTES, now).await.decision.allowed());
    assert!(reserve(&ledger, &plans, "ann", 4, MINUTES, now).await.decision.allowed());
}

#[tokio::test]
async fn time_never_runs_backwards() {
    let (ledger, now) = (ledger(), noon());
    let plans = book(vec![plan("free", vec![quota("calls", "calls", Window::Month, "1")])]);
    let hold = reserve(&ledger, &plans, "ann", 1, MINUTES, now).await.reservation.unwrap();
    let earlier = now.minus(10 * MINUTES);
    let next = reserve(&ledger, &plans, "bob", 1, MINUTES, earlier).await.reservation.unwrap();
    assert_eq!(next.created_at, hold.created_at);
}

#[tokio::test]
async fn an_alert_is_raised_once_a_window_however_often_a_policy_asks_for_it() {
    let (ledger, now) = (ledger(), noon());
    let plans = book(vec![plan("free", vec![quota("tokens", "tokens", Window::Day, "10")])]);
    let always = |readings: &[Reading]| -> Vec<Alert> {
        let due = |reading: &Reading, threshold| Alert {
            subject: reading.subject.clone(),
            quota: reading.quota.clone(),
            provider: None,
            limit: reading.limit,
            threshold,
            kind: "usage_warning".into(),
            severity: "info".into(),
            title: String::new(),
            message: String::new(),
        };
        readings.iter().flat_map(|r| [due(r, 80), due(r, 80), due(r, 90)]).collect()
    };
    let raised = async |now| {
        let report = report("ann", None, 1, now);
        let recorded =
            ledger.record(&report.into(), &Turn::default(), &plans, now, always).await.unwrap();
        recorded.event.raised.iter().map(|r| r.alert.threshold).collect::<Vec<_>>()
    };
    assert_eq!(raised(now).await, [80, 90]);
    assert_eq!(raised(now).await, [0; 0]);
    let tomorrow = now.plus(24 * 60 * MINUTES);
    assert_eq!(raised(tomorrow).await, [80, 90]);
}
