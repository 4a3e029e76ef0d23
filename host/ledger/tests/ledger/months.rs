//! A past month costs one row to read, however much was used in it, and says what its events say.
//!
//! Where the days' rows are taken away, only a month's own row can tell what was used in it.

use std::path::Path;
use std::sync::Arc;

use chrono_tz::Tz;
use tollgate_domain::PlanBook;
use tollgate_ledger::store::sled::{SledStore, restore};
use tollgate_ledger::{Ledger, Period, SubscriptionChange, forgettable};

use crate::support::*;

fn open(folder: &Path) -> Ledger<SledStore> {
    Ledger::open(Arc::new(SledStore::open(folder).unwrap())).unwrap()
}

fn plans() -> PlanBook {
    book(vec![plan("free", vec![])])
}

/// Some days in two months, the one less clear of its edge than the other: tokens tell them apart.
const USES: [(&str, u64); 5] = [
    ("2024-11-03T10:00:00Z", 1),
    ("2024-11-29T23:50:00Z", 10),
    ("2024-11-30T23:50:00Z", 100),
    ("2024-12-01T00:10:00Z", 1_000),
    ("2024-12-24T12:00:00Z", 10_000),
];

async fn use_all(ledger: &Ledger<SledStore>) {
    for (at_time, tokens) in USES {
        let report = report("acme/ann", Some(at_time), tokens, at(at_time));
        record(ledger, &plans(), &report, noon()).await.unwrap();
    }
}

async fn move_to(ledger: &Ledger<SledStore>, timezone: Tz, anchor_day: u8) {
    let change = SubscriptionChange {
        plan: "free".parse().unwrap(),
        billing_cycle: None,
        timezone: Some(timezone),
        anchor_day: Some(anchor_day),
        status: None,
    };
    for level in ["acme", "acme/ann"] {
        ledger.subscribe(&subject(level), &change, &plans(), noon(), |_| vec![]).await.unwrap();
    }
}

async fn assert_months(ledger: &Ledger<SledStore>, expected: [u64; 2], when: &str) {
    for level in ["acme", "acme/ann"] {
        for (month, expected) in ["2024-11", "2024-12"].into_iter().zip(expected) {
            let period = Period::Of(month.parse().unwrap());
            let used = used(ledger, &plans(), level, period, noon()).await;
            assert_eq!(tokens(&used), expected, "{level} in {month}, {when}");
        }
    }
}

/// Takes away the rows of the days, and opens what is left to be looked at.
fn without_days(folder: &Path) -> Ledger<SledStore> {
    remove(folder, &["D"]);
    Ledger::open(Arc::new(SledStore::inspect(folder).unwrap())).unwrap()
}

fn remove(folder: &Path, kinds: &[&str]) {
    let rows = sled::open(folder).unwrap();
    std::fs::remove_file(folder.join("seal")).unwrap();
    for kind in kinds {
        for key in rows.scan_prefix(kind).keys() {
            rows.remove(key.unwrap()).unwrap();
        }
    }
}

fn differences(folder: &Path) -> Vec<String> {
    let verified = SledStore::inspect(folder).unwrap().verify(&forgettable(noon()), |_, _| {});
    verified.differences.iter().map(|difference| difference.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_past_month_is_read_without_its_days() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    use_all(&ledger).await;
    assert_months(&ledger, [111, 11_000], "in memory").await;
    ledger.close(noon()).unwrap();
    drop(ledger);
    assert_months(&without_days(folder.path()), [111, 11_000], "in rows").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_events_and_corrections_reach_a_month_that_has_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    use_all(&ledger).await;
    ledger.tick(None, noon()).unwrap();
    let late = report("acme/ann", Some("late"), 100_000, at("2024-11-10T00:00:00Z"));
    let late = record(&ledger, &plans(), &late, noon()).await.unwrap();
    assert_months(&ledger, [100_111, 11_000], "the late one in memory").await;
    ledger.tick(None, noon()).unwrap();
    correct(&ledger, &plans(), late.id, "c1", 500, noon()).await.unwrap();
    assert_months(&ledger, [611, 11_000], "the correction in memory").await;
    drop(ledger);
    let ledger = open(folder.path());
    assert_months(&ledger, [611, 11_000], "replayed").await;
    ledger.close(noon()).unwrap();
    drop(ledger);
    assert_eq!(differences(folder.path()), [""; 0]);
    assert_months(&without_days(folder.path()), [611, 11_000], "in rows").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_calendar_gets_months_of_its_own() {
    let cases = [
        // In Tokyo, the last use of November is one of December.
        (Tz::Asia__Tokyo, 1, [11, 11_100]),
        // From the 30th on.
        (Tz::UTC, 30, [11_100, 0]),
        (Tz::UTC, 1, [111, 11_000]),
    ];
    for (timezone, anchor_day, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        move_to(&ledger, Tz::America__St_Johns, 12).await;
        use_all(&ledger).await;
        ledger.tick(None, noon()).unwrap();
        move_to(&ledger, timezone, anchor_day).await;
        assert_months(&ledger, expected, "moved").await;
        ledger.close(noon()).unwrap();
        drop(ledger);
        assert_eq!(differences(folder.path()), [""; 0]);
        assert_months(&without_days(folder.path()), expected, "in rows").await;
    }
}

/// What was used later is in the days' rows alone: a month of a calendar that was left is no part
/// of any answer any more, also where that calendar comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_that_comes_back_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    use_all(&ledger).await;
    for timezone in [Tz::Asia__Tokyo, Tz::UTC] {
        ledger.tick(None, noon()).unwrap();
        move_to(&ledger, timezone, 1).await;
        let key = timezone.name();
        let late = report("acme/ann", Some(key), 100_000, at("2024-11-10T00:00:00Z"));
        record(&ledger, &plans(), &late, noon()).await.unwrap();
    }
    assert_months(&ledger, [200_111, 11_000], "in memory").await;
    ledger.close(noon()).unwrap();
    drop(ledger);
    assert_eq!(differences(folder.path()), [""; 0]);
    assert_months(&without_days(folder.path()), [200_111, 11_000], "in rows").await;
}

/// Days and months are written together; all else may be ahead of them, or behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_amid_condensing_leaves_months_what_they_are() {
    for unwritten in [&["C"][..], &["C", "A"], &["C", "D", "S"], &["C", "A", "D", "S"]] {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        move_to(&ledger, Tz::UTC, 1).await;
        use_all(&ledger).await;
        ledger.close(noon()).unwrap();
        drop(ledger);
        remove(folder.path(), unwritten);
        let ledger = open(folder.path());
        let more = report("acme/ann", None, 100_000, at("2024-11-29T23:55:00Z"));
        record(&ledger, &plans(), &more, noon()).await.unwrap();
        assert_months(&ledger, [100_111, 11_000], &format!("without {unwritten:?}")).await;
        ledger.close(noon()).unwrap();
        drop(ledger);
        assert_eq!(differences(folder.path()), [""; 0], "without {unwritten:?}");
        assert_months(&without_days(folder.path()), [100_111, 11_000], "in rows").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_adds_months_up() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder.path().join("first"));
    move_to(&ledger, Tz::Asia__Tokyo, 1).await;
    use_all(&ledger).await;
    let mut backup = ledger.backup().unwrap();
    let backup: Vec<_> = std::iter::from_fn(|| backup.page().unwrap()).flatten().collect();
    let second = folder.path().join("second");
    restore(&backup[..], &second, |_, _, _| {}).unwrap();
    assert_months(&without_days(&second), [11, 11_100], "restored").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_says_something_else_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    use_all(&ledger).await;
    ledger.close(noon()).unwrap();
    drop(ledger);
    let rows = sled::open(folder.path()).unwrap();
    std::fs::remove_file(folder.path().join("seal")).unwrap();
    let key = rows.scan_prefix("Sacme/ann\0").keys().next().unwrap().unwrap();
    let month = rows.get(&key).unwrap().unwrap();
    // The last byte of a row is an amount of its last quantity, but for the high bits.
    let at = month.iter().rposition(|byte| *byte == 111).unwrap();
    let mut other = month.to_vec();
    other[at] = 112;
    rows.insert(key, other).unwrap();
    drop(rows);
    assert_eq!(
        differences(folder.path()),
        ["acme/ann, the sum of the month from 2024-11-01T00:00:00Z, gemini gemini-2.5-flash: \
          expected input_tokens 111, found input_tokens 112"]
    );
}
