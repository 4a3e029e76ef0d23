//! Sliding windows: what is used counts from its instant on for so many seconds, whatever began
//! meanwhile. What is not known to the second counts for longer, never for less.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tollgate_domain::{Alert, PlanBook, QuotaState, Reading, Timestamp};
use tollgate_ledger::store::Store;
use tollgate_ledger::store::memory::MemoryStore;
use tollgate_ledger::store::sled::SledStore;
use tollgate_ledger::{Ledger, Period, SubscriptionChange, Turn, forgettable};

use crate::support::*;

fn ledger() -> Ledger<MemoryStore> {
    Ledger::open(Arc::default()).unwrap()
}

/// One plan with one quota of so many calls in so many seconds.
fn calls(limit: u32, seconds: u32) -> PlanBook {
    let window = format!("sliding:{seconds}").parse().unwrap();
    book(vec![plan("free", vec![quota("calls", "calls", window, &limit.to_string())])])
}

fn after(millis: u64) -> Timestamp {
    noon().plus(Duration::from_millis(millis))
}

fn before(seconds: u64) -> Timestamp {
    noon().minus(Duration::from_secs(seconds))
}

async fn record_at<S: Store>(
    ledger: &Ledger<S>,
    plans: &PlanBook,
    occurred_at: Timestamp,
    now: Timestamp,
) {
    record(ledger, plans, &report("ann", None, 1, occurred_at), now).await.unwrap();
}

async fn standing<S: Store>(ledger: &Ledger<S>, plans: &PlanBook, now: Timestamp) -> QuotaState {
    used(ledger, plans, "ann", Period::Current, now).await.quotas.remove(0)
}

/// What is used of the only quota.
async fn counted<S: Store>(ledger: &Ledger<S>, plans: &PlanBook, now: Timestamp) -> String {
    standing(ledger, plans, now).await.used.to_string()
}

#[tokio::test]
async fn a_use_counts_for_exactly_so_many_seconds() {
    let (ledger, plans) = (ledger(), calls(1, 60));
    let granted = async |now| {
        let reserved = reserve(&ledger, &plans, "ann", 1, MINUTES, now).await.reservation?;
        let report = report("ann", None, 1, now);
        settle(&ledger, &plans, reserved.id, &report, now).await.unwrap();
        Some(())
    };
    assert!(granted(after(700)).await.is_some());
    assert!(granted(after(60_699)).await.is_none());
    assert!(granted(after(60_700)).await.is_some());
}

#[tokio::test]
async fn a_hold_counts_by_its_creation_and_a_sixteenth_of_a_second_longer_at_most() {
    let (ledger, plans) = (ledger(), calls(1, 60));
    let granted = async |now| {
        let ttl = 24 * 60 * MINUTES;
        reserve(&ledger, &plans, "ann", 1, ttl, now).await.decision.allowed()
    };
    assert!(granted(after(30_010)).await);
    assert!(!granted(after(90_009)).await);
    assert!(granted(after(90_010 + 63)).await);
    let hold = standing(&ledger, &plans, after(90_080)).await;
    assert_eq!((hold.used, hold.reserved), (0.into(), 1.into()));
}

#[tokio::test]
async fn no_burst_passes_where_two_windows_by_the_calendar_would_meet() {
    let (ledger, plans) = (ledger(), calls(10, 60));
    let mut granted = 0;
    for second in 50..70 {
        for _ in 0..3 {
            let now = after(second * 1000);
            let reserved = reserve(&ledger, &plans, "ann", 1, MINUTES, now).await;
            granted += u32::from(reserved.decision.allowed());
        }
    }
    assert_eq!(granted, 10);
}

#[tokio::test]
async fn a_late_event_counts_while_its_instant_is_in_the_window() {
    let (ledger, plans) = (ledger(), calls(9, 60));
    assert_eq!(counted(&ledger, &plans, noon()).await, "0");
    record_at(&ledger, &plans, before(60), noon()).await;
    assert_eq!(counted(&ledger, &plans, noon()).await, "0");
    record_at(&ledger, &plans, before(59), noon()).await;
    record_at(&ledger, &plans, before(20), noon()).await;
    for (millis, expected) in [(0, "2"), (999, "2"), (1_000, "1"), (39_999, "1"), (40_000, "0")] {
        assert_eq!(counted(&ledger, &plans, after(millis)).await, expected, "after {millis} ms");
    }
}

#[tokio::test]
async fn an_event_that_counts_until_its_minute_has_left_is_corrected_until_then() {
    let (ledger, none) = (ledger(), book(vec![]));
    let sliding = quota("sliding", "tokens", "sliding:7".parse().unwrap(), "90");
    let plans = book(vec![plan("free", vec![sliding])]);
    let event = record(&ledger, &none, &report("ann", None, 32, noon()), noon()).await.unwrap();
    assert_eq!(counted(&ledger, &plans, after(8_000)).await, "32", "as if at its minute's end");
    correct(&ledger, &plans, event.id, "c1", 31, after(8_000)).await.unwrap();
    assert_eq!(counted(&ledger, &plans, after(8_000)).await, "31");
}

#[tokio::test]
async fn an_event_that_comes_too_late_for_its_window_counts_for_nothing_after_any_pause() {
    let (ledger, plans) = (ledger(), calls(9, 30));
    assert_eq!(counted(&ledger, &plans, before(7 * 3_600)).await, "0");
    record_at(&ledger, &plans, before(31), noon()).await;
    assert_eq!(counted(&ledger, &plans, noon()).await, "0");
}

#[tokio::test]
async fn an_event_dated_ahead_counts_from_its_recording_to_the_end_of_its_own_window() {
    let (ledger, plans) = (ledger(), calls(9, 60));
    record_at(&ledger, &plans, after(300_000), noon()).await;
    for (millis, expected) in [(0, "1"), (200_000, "1"), (359_999, "1"), (360_000, "0")] {
        assert_eq!(counted(&ledger, &plans, after(millis)).await, expected, "after {millis} ms");
    }
}

#[tokio::test]
async fn a_clock_a_little_ahead_makes_steady_use_count_a_little_longer_only() {
    let (ledger, plans) = (ledger(), calls(1000, 2));
    for tenth in 0..100 {
        record_at(&ledger, &plans, after(tenth * 100 + 200), after(tenth * 100)).await;
    }
    // Twenty uses of the last two seconds, two that are dated ahead, and a bucket.
    let steady: u32 = counted(&ledger, &plans, after(9_900)).await.parse().unwrap();
    assert!((22..=24).contains(&steady), "{steady}");
}

#[tokio::test]
async fn a_new_plan_counts_what_was_used_before_it_as_late_as_it_can_have_been() {
    let without = book(vec![plan("free", vec![])]);
    // What was used, how long ago, and for how long it counts at least and at most.
    for (ago, seconds, at_least, at_most) in [
        // From the account's minutes.
        (30, 60, 30, 60),
        (59, 60, 1, 60),
        // From the store's quarter-hours, as far as the minutes do not reach.
        (200, 3_600, 3_400, 3_600),
        (3_500, 3_600, 100, 1_000),
        (86_000, 86_400, 400, 1_300),
        (2_600_000, 2_678_400, 78_400, 78_400 + 6 * 3_600),
    ] {
        let ledger = ledger();
        let plans = calls(9, seconds);
        record_at(&ledger, &without, before(ago), before(ago)).await;
        for (later, expected) in [(0, "1"), (at_least - 1, "1"), (at_most, "0")] {
            let got = counted(&ledger, &plans, after(later * 1000)).await;
            assert_eq!(got, expected, "{ago} s ago, in {seconds} s, {later} s later");
        }
    }
}

#[tokio::test]
async fn a_window_that_is_kept_is_not_added_up_again_by_another_time_zone() {
    let (ledger, plans) = (ledger(), calls(9, 3_600));
    assert_eq!(counted(&ledger, &plans, before(3_599)).await, "0");
    record_at(&ledger, &plans, before(3_599), before(3_599)).await;
    let change = SubscriptionChange {
        plan: "free".parse().unwrap(),
        billing_cycle: None,
        timezone: Some(chrono_tz::Asia::Kathmandu),
        anchor_day: Some(15),
        status: None,
    };
    ledger.subscribe(&subject("ann"), &change, &plans, noon(), |_| vec![]).await.unwrap();
    assert_eq!(counted(&ledger, &plans, noon()).await, "1");
    assert_eq!(counted(&ledger, &plans, after(1_000)).await, "0");
}

#[tokio::test]
async fn the_oldest_that_counts_says_when_a_window_resets() {
    let (ledger, plans) = (ledger(), calls(9, 60));
    let resets_at = async |now| standing(&ledger, &plans, now).await.resets_at.unwrap();
    assert_eq!(resets_at(noon()).await, after(60_000), "what would be used now leaves then");
    record_at(&ledger, &plans, noon(), noon()).await;
    reserve(&ledger, &plans, "ann", 1, 10 * MINUTES, after(30_000)).await;
    assert_eq!(resets_at(after(59_000)).await, after(60_000));
    let of_the_hold = resets_at(after(60_000)).await;
    assert!((after(90_000)..=after(90_063)).contains(&of_the_hold), "{of_the_hold}");
}

#[tokio::test]
async fn a_refusal_says_when_enough_has_left() {
    let (ledger, plans) = (ledger(), calls(5, 60));
    for second in 0..4 {
        record_at(&ledger, &plans, after(second * 1000), after(second * 1000)).await;
    }
    reserve(&ledger, &plans, "ann", 1, 10 * MINUTES, after(10_000)).await;
    let now = after(20_000);
    let fits_at = async |calls| {
        let mut call = call("ann", 1);
        call.usage = tollgate_domain::Usage::new([("calls".parse().unwrap(), calls)]).unwrap();
        let cost = tollgate_domain::ExpectedCost::Known(price(1));
        let ask =
            tollgate_ledger::Ask { call: &call, asked: None, cost, plans: &plans, revision: "r1" };
        let refused = ledger.check(&ask, now, |_| Default::default()).await.unwrap();
        refused.denial.unwrap().fits_at
    };
    assert_eq!(fits_at(1).await, Some(after(60_000)));
    assert_eq!(fits_at(4).await, Some(after(63_000)));
    let all = fits_at(5).await.unwrap();
    assert!((after(70_000)..=after(70_063)).contains(&all), "{all}");
    assert_eq!(fits_at(6).await, None, "it never fits");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_raised_again_after_so_many_seconds_and_not_before_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let plans = calls(1, 60);
    let always = |readings: &[Reading]| -> Vec<Alert> {
        let due = |reading: &Reading| Alert {
            subject: reading.subject.clone(),
            quota: reading.quota.clone(),
            provider: None,
            limit: reading.limit,
            threshold: 100,
            kind: "limit_reached".into(),
            severity: "error".into(),
            title: String::new(),
            message: String::new(),
        };
        readings.iter().map(due).collect()
    };
    for (millis, raised) in
        [(0, true), (0, false), (59_999, false), (60_000, true), (119_999, false), (120_000, true)]
    {
        for clean in [false, true] {
            let (ledger, now) = (open(folder.path()), after(millis));
            let report = report("ann", None, 1, now);
            let turn = Turn::default();
            let recorded = ledger.record(&report.into(), &turn, &plans, now, always).await.unwrap();
            let first = raised && !clean;
            assert_eq!(!recorded.event.raised.is_empty(), first, "after {millis} ms");
            if clean {
                ledger.close(now).unwrap();
            }
        }
    }
}

fn open(folder: &Path) -> Ledger<SledStore> {
    Ledger::open(Arc::new(SledStore::open(folder).unwrap())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_a_window_to_the_instant() {
    for clean in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let plans = calls(9, 60);
        let ledger = open(folder.path());
        record_at(&ledger, &plans, noon(), noon()).await;
        ledger.tick(None, noon()).unwrap();
        record_at(&ledger, &plans, after(500), after(500)).await;
        if clean {
            ledger.close(after(500)).unwrap();
        }
        drop(ledger);
        let ledger = open(folder.path());
        for (millis, expected) in [(59_999, "2"), (60_000, "1"), (60_500, "0")] {
            assert_eq!(counted(&ledger, &plans, after(millis)).await, expected);
        }
    }
}

/// Uses of all ages and leads at a pace that fills every bucket.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_takes_little_room_however_much_is_used() {
    for seconds in [1, 60, 86_400] {
        let folder = tempfile::tempdir().unwrap();
        let plans = calls(1_000_000, seconds);
        let ledger = open(folder.path());
        for i in 0..4_000_u64 {
            let now = after(i * u64::from(seconds));
            let apart = Duration::from_millis(i * 7_919 % 300_000);
            let occurred_at = if i % 2 == 0 { now.plus(apart) } else { now.minus(apart) };
            record_at(&ledger, &plans, occurred_at, now).await;
        }
        ledger.close(after(4_000 * u64::from(seconds))).unwrap();
        drop(ledger);
        let rows = sled::open(folder.path()).unwrap();
        let bytes: usize = rows.scan_prefix("Aann").values().map(|row| row.unwrap().len()).sum();
        assert!(bytes < 16 * 1024, "{bytes} bytes for sliding:{seconds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_window_says_is_verified_whether_it_was_kept_or_added_up() {
    let with = |limit: &str| {
        let window = "sliding:86400".parse().unwrap();
        book(vec![plan("free", vec![quota("tokens", "tokens", window, limit)])])
    };
    let without = book(vec![plan("free", vec![])]);
    let store = async |tokens, later| {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        for (ago, tokens) in [(40_000, 1), (30_000, tokens), (10, 2)] {
            let now = before(ago);
            record(&ledger, &without, &report("ann", None, tokens, now), now).await.unwrap();
        }
        record(&ledger, &with("9"), &report("ann", None, later, noon()), noon()).await.unwrap();
        ledger.close(noon()).unwrap();
        folder
    };
    let row = |folder: &Path| sled::open(folder).unwrap().get("Aann\0").unwrap().unwrap();
    let verify = |folder: &Path| {
        let store = SledStore::inspect(folder).unwrap();
        let differences = store.verify(&forgettable(noon()), |_, _| {}).differences;
        let sliding = differences.into_iter().filter(|d| d.row.contains("sliding"));
        sliding.map(|difference| difference.to_string()).collect::<Vec<_>>()
    };
    let (sound, more_before, more_since) =
        (store(5, 7).await, store(6, 7).await, store(5, 8).await);
    assert_eq!(verify(sound.path()), [""; 0]);
    for (other, named) in [
        (more_before, "ann, the tokens in sliding:86400, added up: expected 8 to 8, found 9"),
        (
            more_since,
            "ann, the tokens in sliding:86400: expected 7 until 2025-01-15T12:00:00Z, \
             found 8 until 2025-01-15T12:00:00Z",
        ),
    ] {
        let other = row(other.path());
        let rows = sled::open(sound.path()).unwrap();
        rows.insert("Aann\0", other).unwrap();
        drop(rows);
        // The seal would not let them be changed.
        std::fs::remove_file(sound.path().join("seal")).unwrap();
        assert_eq!(verify(sound.path()), [named]);
    }
}
