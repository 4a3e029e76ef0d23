//! A level's log: its events one by one, the newest first.

use std::sync::Arc;

use tollgate_domain::{SubjectPath, Timestamp};
use tollgate_ledger::store::Store;
use tollgate_ledger::store::sled::{SledStore, restore};
use tollgate_ledger::{EventId, Ledger, LogFilter, LogPage, Report};

use crate::support::*;

/// What a log is made of: where it counts, who answered, and whether that failed.
struct Made {
    id: EventId,
    path: SubjectPath,
    at: Timestamp,
    provider: &'static str,
    failed: bool,
}

/// The first two have the same checksum, as far as a log keeps it: which of them answered, only the
/// event itself tells.
const PROVIDERS: [&str; 3] = ["provider-1909", "provider-2404", "tavily"];

/// Events in no order of time, several of them at the same instant, beneath two levels.
async fn history<S: Store>(ledger: &Ledger<S>, count: u32) -> Vec<Made> {
    let (plans, now) = (book(vec![]), noon());
    let mut made = Vec::new();
    for i in 0..count {
        let path = ["acme/ann", "acme/bob", "acme"][i as usize % 3];
        // Minutes, days and months ago, and before anything is told apart by its time.
        let at = match i % 7 {
            0..3 => now.minus((i * 7919 % 53) * MINUTES),
            3 | 4 => now.minus((i * 7919 % 53) * 60 * 8 * MINUTES),
            5 => now.minus((i * 7919 % 53) * 60 * 24 * 20 * MINUTES),
            _ => Timestamp::EPOCH.minus(MINUTES),
        };
        let failed = i % 5 == 0;
        let provider = PROVIDERS[(i / 2) as usize % PROVIDERS.len()];
        let report = Report {
            provider: provider.parse().unwrap(),
            status_code: Some(if failed { 503 } else { 200 }),
            ..report(path, None, u64::from(i), at)
        };
        let id = record(ledger, &plans, &report, now).await.unwrap().id;
        made.push(Made { id, path: subject(path), at, provider, failed });
    }
    made
}

fn page<S: Store>(
    ledger: &Ledger<S>,
    level: &str,
    which: &LogFilter,
    offset: u64,
    limit: usize,
) -> LogPage {
    ledger.log(&subject(level), which, offset, limit).unwrap()
}

fn ids(page: &LogPage) -> Vec<EventId> {
    page.entries.iter().map(|entry| entry.id).collect()
}

/// Compares every page of some sizes with what was made.
fn compare<S: Store>(ledger: &Ledger<S>, made: &[Made]) {
    let filters = PROVIDERS.iter().map(Some).chain([None]);
    let filters = filters.flat_map(|p| [None, Some(true), Some(false)].map(|failed| (p, failed)));
    for (provider, failed) in filters {
        for level in ["acme", "acme/ann", "acme/bob", "zoe"] {
            let on_level = |made: &&Made| made.path.levels().any(|own| own.as_str() == level);
            let mut expected: Vec<_> = made
                .iter()
                .filter(on_level)
                .filter(|made| provider.is_none_or(|provider| made.provider == *provider))
                .filter(|made| failed.is_none_or(|failed| made.failed == failed))
                .collect();
            expected.sort_by_key(|made| std::cmp::Reverse((made.at, made.id)));
            let expected: Vec<_> = expected.into_iter().map(|made| made.id).collect();
            let provider = provider.map(|provider| provider.parse().unwrap());
            let which = LogFilter { provider, failed };
            for (offset, limit) in [(0, 1000), (0, 1), (3, 4), (expected.len(), 5), (1000, 1)] {
                let page = page(ledger, level, &which, offset as u64, limit);
                let rest = expected.iter().skip(offset);
                let listed: Vec<_> = rest.clone().take(limit).copied().collect();
                assert_eq!(ids(&page), listed, "{level}, {which:?}, {offset}, {limit}");
                assert_eq!(page.total, expected.len() as u64, "{level}, {which:?}");
                assert_eq!(page.has_more, rest.len() > limit, "{level}, {which:?}, {offset}");
            }
        }
    }
}

on_every_store! {
    async fn a_log_has_each_event_once_the_newest_first(store: Arc<impl Store>) {
        let ledger = Ledger::open(store).unwrap();
        let made = history(&ledger, 120).await;
        compare(&ledger, &made);
    }

    async fn a_log_says_what_an_event_counts_by_now(store: Arc<impl Store>) {
        let (ledger, plans, now) = (Ledger::open(store).unwrap(), book(vec![]), noon());
        let event = record(&ledger, &plans, &report("ann", None, 5, now), now).await.unwrap();
        correct(&ledger, &plans, event.id, "c1", 8, now).await.unwrap();
        let page = page(&ledger, "ann", &LogFilter::default(), 0, 10);
        assert_eq!((page.total, page.entries.len()), (1, 1), "a correction is no event");
        assert_eq!(page.entries[0].used.usage.tokens(), Some(8));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_the_same_in_memory_in_runs_after_a_crash_and_from_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let open = |folder| Ledger::open(Arc::new(SledStore::open(folder).unwrap())).unwrap();
    let ledger = open(folder.path());
    let mut made = Vec::new();
    // More runs than are kept apart, and some that are not written yet.
    for round in 0..10 {
        made.extend(history(&ledger, 12 + round).await);
        ledger.tick(None, noon()).unwrap();
    }
    made.extend(history(&ledger, 20).await);
    compare(&ledger, &made);
    let backup = backup_of(ledger);
    compare(&open(folder.path()), &made);

    let folder = tempfile::tempdir().unwrap();
    restore(&backup[..], folder.path(), |_, _, _| {}).unwrap();
    compare(&open(folder.path()), &made);
}
