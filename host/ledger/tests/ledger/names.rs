use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::JoinSet;
use tollgate_ledger::store::sled::SledStore;
use tollgate_ledger::{Ledger, forgettable};

use crate::support::*;

const ROUNDS: usize = 90;

fn open(folder: &std::path::Path) -> (Arc<SledStore>, Arc<Ledger<SledStore>>) {
    let store = Arc::new(SledStore::open(folder).unwrap());
    (store.clone(), Arc::new(Ledger::open(store).unwrap()))
}

/// Records an event for each name, all at once, and tells how many had been recorded before.
async fn record_all(ledger: &Arc<Ledger<SledStore>>, names: impl Iterator<Item = String>) -> usize {
    let mut tasks = JoinSet::new();
    for name in names {
        let ledger = ledger.clone();
        tasks.spawn(async move {
            let report = report("ann", Some(&name), 1, noon());
            record(&ledger, &book(vec![]), &report, noon()).await.unwrap().duplicate
        });
    }
    tasks.join_all().await.into_iter().filter(|duplicate| *duplicate).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_found_in_whatever_runs_they_have_come_to_lie() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut ledger) = open(folder.path());
    let (mut count, mut sizes) = (0, (1..).map(|n: usize| (n * 37) % 61 + 1));
    for round in 0..ROUNDS {
        let size = sizes.next().unwrap();
        let names = (count..count + size).map(|name| format!("e{name}"));
        assert_eq!(record_all(&ledger, names).await, 0, "new in round {round}");
        count += size;
        ledger.tick(None, noon()).unwrap();
        let some = (0..count).step_by(count / 20 + 1);
        let expected = some.clone().count();
        let found = record_all(&ledger, some.map(|name| format!("e{name}"))).await;
        assert_eq!(found, expected, "in round {round}");
        if round % 30 == 17 {
            drop((store, ledger));
            (store, ledger) = open(folder.path());
        }
    }
    assert_eq!(record_all(&ledger, (0..count).map(|name| format!("e{name}"))).await, count);
    assert_eq!(store.verify(&forgettable(noon()), |_, _| {}).differences, []);
    drop((store, ledger));

    let rows = sled::open(folder.path()).unwrap();
    let keys = rows.scan_prefix("E").keys().map(Result::unwrap);
    let (mut runs, mut kept) = (BTreeSet::new(), 0);
    for key in keys {
        kept += 1;
        runs.insert(key[1..5].to_vec());
    }
    // Up to seven of each size: of names by the one, by the eight, by the sixty-four, …
    assert!(runs.len() <= 7 * 4 && kept < ROUNDS, "{} runs of {kept} rows", runs.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_leaves_of_a_run_is_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ledger) = open(folder.path());
    record_all(&ledger, (0..500).map(|name| format!("e{name}"))).await;
    ledger.tick(None, noon()).unwrap();
    drop((store, ledger));
    let rows = sled::open(folder.path()).unwrap();
    let unlisted = |kind: &[u8]| [kind, &7_u32.to_be_bytes(), &[1; 16]].concat();
    for kind in [b"E", b"e"] {
        rows.insert(unlisted(kind), vec![0; 24]).unwrap();
    }
    drop(rows);
    std::fs::remove_file(folder.path().join("seal")).unwrap();

    let (store, ledger) = open(folder.path());
    assert_eq!(record_all(&ledger, (0..500).map(|name| format!("e{name}"))).await, 500);
    drop((store, ledger));
    let rows = sled::open(folder.path()).unwrap();
    assert!(!rows.contains_key(unlisted(b"E")).unwrap());
    assert!(!rows.contains_key(unlisted(b"e")).unwrap());
}
