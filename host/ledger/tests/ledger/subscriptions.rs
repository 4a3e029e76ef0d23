//! Subscriptions: what they became, change by change.

use std::sync::Arc;

use tollgate_domain::{PlanBook, Timestamp};
use tollgate_ledger::store::Store;
use tollgate_ledger::store::sled::{SledStore, restore};
use tollgate_ledger::{Ledger, forgettable};

use crate::support::*;

fn plans() -> PlanBook {
    book(["free", "basic", "pro"].map(|name| plan(name, vec![])).into())
}

fn history<S: Store>(ledger: &Ledger<S>, path: &str) -> Vec<(Timestamp, String)> {
    let changes = ledger.subscriptions(&subject(path)).unwrap().into_iter();
    changes.map(|(at, subscription)| (at, subscription.plan.to_string())).collect()
}

on_every_store! {
    async fn each_change_is_told_the_oldest_first(store: Arc<impl Store>) {
        let (ledger, now) = (Ledger::open(store).unwrap(), noon());
        let then = now.plus(MINUTES);
        for (path, plan, at) in
            [("acme", "pro", now), ("acme/ann", "free", now), ("acme", "basic", then), ("acme", "pro", then)]
        {
            subscribe(&ledger, &plans(), path, plan, at).await;
        }
        let expected = [(now, "pro"), (then, "basic"), (then, "pro")];
        assert_eq!(history(&ledger, "acme"), expected.map(|(at, plan)| (at, plan.to_owned())));
        assert_eq!(history(&ledger, "acme/ann"), [(now, "free".to_owned())]);
        assert_eq!(history(&ledger, "acme/bob"), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_the_same_in_memory_in_rows_after_a_crash_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (plans, now) = (plans(), noon());
    let open = || Ledger::open(Arc::new(SledStore::open(folder.path()).unwrap())).unwrap();
    let ledger = open();
    for (plan, minutes) in [("free", 0_u32), ("pro", 1), ("basic", 2)] {
        subscribe(&ledger, &plans, "ann", plan, now.plus(minutes * MINUTES)).await;
        if minutes == 0 {
            // The first lies in a row by now.
            ledger.tick(Some(&plans), now).unwrap();
        }
    }
    let expected = history(&ledger, "ann");
    assert_eq!(expected.len(), 3);
    // As a crash would leave it.
    drop(ledger);
    let ledger = open();
    assert_eq!(history(&ledger, "ann"), expected);
    let backup = backup_of(ledger);
    assert_eq!(history(&open(), "ann"), expected);
    let folder = tempfile::tempdir().unwrap();
    restore(&backup[..], folder.path(), |_, _, _| {}).unwrap();
    let store = SledStore::open(folder.path()).unwrap();
    assert_eq!(store.verify(&forgettable(now), |_, _| {}).differences, []);
    assert_eq!(history(&Ledger::open(Arc::new(store)).unwrap(), "ann"), expected);
}
