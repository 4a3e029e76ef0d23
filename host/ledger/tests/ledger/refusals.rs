use std::sync::Arc;
use std::time::Duration;

use tollgate_domain::{PlanBook, Span, Timestamp, Window};
use tollgate_ledger::store::sled::SledStore;
use tollgate_ledger::store::{RefusalFilter, Store};
use tollgate_ledger::{Cause, Ledger, Refusal, RefusalId, forgettable};

use crate::support::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn plans() -> PlanBook {
    let quotas = vec![quota("calls", "calls", Window::Month, "0")];
    book(vec![
        plan("none", quotas),
        plan("some", vec![quota("tokens", "tokens", Window::Day, "5")]),
    ])
}

async fn refuse<S: Store>(ledger: &Ledger<S>, path: &str, tokens: u64, now: Timestamp) {
    let refused = reserve(ledger, &plans(), path, tokens, MINUTES, now).await;
    assert!(refused.reservation.is_none());
}

fn all(subject: Option<&str>) -> RefusalFilter {
    RefusalFilter {
        subject: subject.map(|path| path.parse().unwrap()),
        span: Span { start: Timestamp::EPOCH, end: None },
        before: None,
        limit: usize::MAX,
    }
}

async fn refusals<S: Store>(
    ledger: &Ledger<S>,
    which: RefusalFilter,
) -> Vec<(RefusalId, Arc<Refusal>)> {
    ledger.refusals(which).await.unwrap()
}

fn tokens_asked(refusals: &[(RefusalId, Arc<Refusal>)]) -> Vec<u64> {
    refusals.iter().map(|(_, refusal)| refusal.call.usage.tokens().unwrap()).collect()
}

on_every_store! {
    async fn a_refusal_keeps_what_was_asked_and_answered(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        let refused = reserve(&ledger, &plans(), "acme/ann", 7, MINUTES, now).await;
        let found = refusals(&ledger, all(None)).await;
        assert_eq!(found.len(), 1);
        let refusal = &found[0].1;
        assert_eq!((&refusal.call, refusal.cost), (&call("acme/ann", 7), Some(price(7))));
        let decision = refusal.decision();
        assert_eq!(decision.denial, refused.decision.denial);
        assert_eq!(decision.snapshot.levels[0].quotas, refused.decision.snapshot.levels[0].quotas);
        assert_eq!((refusal.at(), refusal.revision.as_str()), (now, "r1"));
    }

    async fn refusals_are_found_by_level_time_and_page(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        for (tokens, path) in (0..60).zip(["acme/ann", "acme/bob", "zoe"].iter().cycle()) {
            refuse(&ledger, path, tokens, now.plus(tokens as u32 * MINUTES)).await;
            if tokens % 25 == 24 {
                ledger.tick(Some(&plans()), now).unwrap();
            }
        }
        assert_eq!(tokens_asked(&refusals(&ledger, all(None)).await).len(), 60);
        assert_eq!(refusals(&ledger, all(Some("acme"))).await.len(), 40);
        let anns = refusals(&ledger, all(Some("acme/ann"))).await;
        let expected: Vec<_> = (0..60).rev().filter(|tokens| tokens % 3 == 0).collect();
        assert_eq!(tokens_asked(&anns), expected, "the newest first");
        let (from, to) = (now.plus(10 * MINUTES), now.plus(20 * MINUTES));
        let some = RefusalFilter { span: Span { start: from, end: Some(to) }, ..all(Some("zoe")) };
        assert_eq!(tokens_asked(&refusals(&ledger, some).await), [17, 14, 11]);

        let (mut pages, mut before) = (vec![], None);
        loop {
            let page = refusals(&ledger, RefusalFilter { before, limit: 7, ..all(Some("acme")) });
            let page = page.await;
            let Some((last, _)) = page.last() else { break };
            before = Some(*last);
            pages.extend(page);
        }
        assert_eq!(pages, refusals(&ledger, all(Some("acme"))).await);
    }

    async fn refusals_are_counted_by_period_and_quota_for_ever(store: Arc<impl Store>) {
        let ledger = Ledger::open(store).unwrap().keeping_refusals(30 * DAY);
        let (january, march) = (noon(), at("2025-03-15T12:00:00Z"));
        subscribe(&ledger, &plans(), "acme/bob", "some", january).await;
        for (path, now) in
            [("acme/ann", january), ("acme/bob", january), ("acme/bob", march), ("zoe", march)]
        {
            refuse(&ledger, path, 9, now).await;
            ledger.tick(Some(&plans()), now).unwrap();
        }
        assert_eq!(refusals(&ledger, all(Some("acme"))).await.len(), 1, "the rest is too old");
        assert_eq!(refusals(&ledger, all(None)).await.len(), 2, "and nobody's any more");
        let counts = ledger.refusal_counts(&subject("acme")).await.unwrap();
        let of = |period: &str, quota: &str| {
            let quota = Some(quota.parse().unwrap());
            let cause = Cause { reason: "quota_exceeded".into(), quota };
            counts.get(&period.parse().unwrap()).and_then(|counts| counts.0.get(&cause)).copied()
        };
        assert_eq!((of("2025-01", "calls"), of("2025-01", "tokens")), (Some(1), Some(1)));
        assert_eq!((of("2025-03", "calls"), of("2025-03", "tokens")), (None, Some(1)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_survive_restarts_condensed_or_not_and_verify_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let now = noon();
    for round in 0..6_u64 {
        let store = Arc::new(SledStore::open(folder.path()).unwrap());
        let ledger = Ledger::open(store.clone()).unwrap();
        for (before, path) in [(round * 30, "acme"), (round * 20, "acme/ann")] {
            assert_eq!(refusals(&ledger, all(Some(path))).await.len() as u64, before);
        }
        for (tokens, path) in (0..30).zip(["acme/ann", "acme/ann", "acme/bob"].iter().cycle()) {
            refuse(&ledger, path, tokens, now).await;
            if tokens == 17 && round % 2 == 0 {
                ledger.refusals(all(None)).await.unwrap();
                ledger.tick(Some(&plans()), now).unwrap();
            }
        }
        assert_eq!(refusals(&ledger, all(None)).await.len() as u64, (round + 1) * 30);
        let counts = ledger.refusal_counts(&subject("acme/ann")).await.unwrap();
        let counted: u64 = counts.values().flat_map(|counts| counts.0.values()).sum();
        assert_eq!(counted, (round + 1) * 20);
        assert_eq!(store.verify(&forgettable(now), |_, _| {}).differences, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_amid_condensing_counts_no_refusal_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (plans, now) = (plans(), noon());
    {
        let ledger = Ledger::open(Arc::new(SledStore::open(folder.path()).unwrap())).unwrap();
        for tokens in 1..=20 {
            refuse(&ledger, "acme/ann", tokens, now).await;
        }
        ledger.refusals(all(None)).await.unwrap();
        ledger.tick(Some(&plans), now).unwrap();
        for tokens in 1..=5 {
            refuse(&ledger, "acme/ann", tokens, now).await;
        }
    }
    // Twenty are written among the counts, and that they are is not.
    let rows = sled::open(folder.path()).unwrap();
    rows.remove("C\0").unwrap().unwrap();
    drop(rows);
    std::fs::remove_file(folder.path().join("seal")).unwrap();

    let store = Arc::new(SledStore::open(folder.path()).unwrap());
    let ledger = Ledger::open(store.clone()).unwrap();
    for _ in 0..2 {
        let counts = ledger.refusal_counts(&subject("acme")).await.unwrap();
        assert_eq!(counts.values().flat_map(|counts| counts.0.values()).sum::<u64>(), 25);
        assert_eq!(refusals(&ledger, all(Some("acme"))).await.len(), 25);
        ledger.tick(Some(&plans), now).unwrap();
    }
    assert_eq!(store.verify(&forgettable(now), |_, _| {}).differences, []);
}
