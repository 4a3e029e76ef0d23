//! What was used on a day, of whatever calendar, is what its events say, however many they are:
//! where there are many, without a look at each quarter of an hour.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use proptest::prelude::*;
use tollgate_domain::{Calendar, PlanBook, Span, SubjectId, Timestamp};
use tollgate_ledger::store::Store;
use tollgate_ledger::store::sled::{SledStore, restore};
use tollgate_ledger::{EventId, Ledger, Report, SubscriptionChange, forgettable};

use crate::support::*;

const LEVELS: [&str; 2] = ["acme", "acme/ann"];

/// In London and Chatham, clocks change in these days; the others' days begin at half hours.
const ZONES: [Tz; 5] =
    [Tz::UTC, Tz::Asia__Kolkata, Tz::America__St_Johns, Tz::Europe__London, Tz::Pacific__Chatham];

const DAYS: usize = 10;

fn now() -> Timestamp {
    at("2025-04-07T12:00:00Z")
}

fn quarters(number: u32) -> Duration {
    15 * MINUTES * number
}

/// An event so many quarters of an hour ago.
fn event(quarters_ago: u32, tokens: u64) -> Report {
    let mut report = report("acme/ann", None, tokens, now().minus(quarters(quarters_ago)));
    report.model = Some(format!("model-{}", tokens % 2).parse().unwrap());
    report
}

fn plans() -> PlanBook {
    book(vec![plan("free", vec![])])
}

fn open(folder: &Path) -> (Arc<SledStore>, Ledger<SledStore>) {
    let store = Arc::new(SledStore::open(folder).unwrap());
    (store.clone(), Ledger::open(store).unwrap())
}

async fn move_to<S: Store>(ledger: &Ledger<S>, timezone: Tz) {
    let change = SubscriptionChange {
        plan: "free".parse().unwrap(),
        billing_cycle: None,
        timezone: Some(timezone),
        anchor_day: None,
        status: None,
    };
    for level in LEVELS {
        ledger.subscribe(&subject(level), &change, &plans(), now(), |_| vec![]).await.unwrap();
    }
}

/// What was recorded, with the tokens that it counts by now.
#[derive(Default)]
struct Facts(Vec<(EventId, Timestamp, u64)>);

impl Facts {
    async fn record<S: Store>(&mut self, ledger: &Ledger<S>, report: &Report) {
        let recorded = record(ledger, &plans(), report, now()).await.unwrap();
        self.0.push((recorded.id, report.occurred_at, report.usage.tokens().unwrap()));
    }

    async fn correct<S: Store>(
        &mut self,
        ledger: &Ledger<S>,
        which: usize,
        tokens: u64,
        key: &str,
    ) {
        let (id, _, counted) = &mut self.0[which];
        correct(ledger, &plans(), *id, key, tokens, now()).await.unwrap();
        *counted = tokens;
    }

    fn within(&self, span: &Span) -> [u64; 2] {
        let within = || self.0.iter().filter(|(_, at, _)| span.contains(*at));
        [within().map(|(_, _, tokens)| tokens).sum(), within().count() as u64]
    }

    /// Compares the days of every calendar.
    #[track_caller]
    fn check<S: Store>(&self, ledger: &Ledger<S>, when: &str) {
        for (level, timezone) in LEVELS.into_iter().flat_map(|l| ZONES.map(|zone| (l, zone))) {
            let calendar = Calendar { timezone, anchor_day: 1 };
            let days = ledger.days(&id(level), DAYS, &calendar, now()).unwrap();
            assert_eq!(days.len(), DAYS);
            for day in days {
                let day_of = format!("{level} in {timezone} from {}, {when}", day.span.start);
                assert_eq!(counted(&day.table), self.within(&day.span), "{day_of}");
            }
        }
    }
}

/// Tokens and events.
fn counted(table: &tollgate_ledger::Table) -> [u64; 2] {
    let totals = || table.cells().iter().map(|cell| &cell.totals);
    [totals().map(|totals| totals.tokens()).sum(), totals().map(|totals| totals.events).sum()]
}

fn id(level: &str) -> SubjectId {
    subject(level).levels().last().unwrap()
}

on_every_store! {
    async fn a_day_of_any_calendar_is_what_its_events_say(store: Arc<impl Store>) {
        let (ledger, mut facts) = (Ledger::open(store.clone()).unwrap(), Facts::default());
        move_to(&ledger, Tz::Europe__London).await;
        for number in 0..DAYS as u32 * 30 {
            facts.record(&ledger, &event(number * 3 + number % 3, 1 << (number % 20))).await;
        }
        facts.check(&ledger, "in memory");
        ledger.tick(None, now()).unwrap();
        facts.check(&ledger, "in rows");
        for which in 0..30 {
            facts.correct(&ledger, which * 7, which as u64, &format!("c{which}")).await;
            facts.record(&ledger, &event(which as u32 * 11, 1)).await;
        }
        facts.check(&ledger, "corrections and late events in memory");
        ledger.tick(None, now()).unwrap();
        facts.check(&ledger, "corrections and late events in rows");
        let span = |from: u32, to: u32| {
            let [start, end] = [from, to].map(|ago| now().minus(quarters(ago)));
            Span { start, end: Some(end) }
        };
        for (from, length) in (400..600).step_by(23).flat_map(|from| (1..200).map(move |l| (from, l)))
        {
            let span = span(from, from - length);
            let used = store.used(&id("acme"), &span).unwrap();
            assert_eq!(counted(&used), facts.within(&span), "{span:?}");
        }
        let spans: Vec<_> = (0..40).map(|n| span(900 - n * 17, 900 - n * 17 - n % 18)).collect();
        let used = store.used_in_each(&id("acme"), &spans).unwrap();
        for (span, used) in spans.iter().zip(used) {
            assert_eq!(counted(&used), facts.within(span), "{span:?}");
        }
    }
}

/// Cuts the last bytes off the rows of days, which are some of their quarters, and opens what is
/// left to be looked at.
fn without_quarters(folder: &Path) -> Ledger<SledStore> {
    let rows = sled::open(folder).unwrap();
    std::fs::remove_file(folder.join("seal")).unwrap();
    let mut cut = 0;
    for row in rows.scan_prefix("D") {
        let (key, value) = row.unwrap();
        if value.len() > 60 {
            rows.insert(key, &value[..value.len() - 20]).unwrap();
            cut += 1;
        }
    }
    assert!(cut > 0);
    drop(rows);
    Ledger::open(Arc::new(SledStore::inspect(folder).unwrap())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn days_of_much_use_are_read_without_their_quarters_also_after_a_change_of_time_zone() {
    for moves in [&[Tz::UTC][..], &[Tz::Asia__Kolkata], &[Tz::UTC, Tz::America__St_Johns]] {
        let folder = tempfile::tempdir().unwrap();
        let ((_, ledger), mut facts) = (open(folder.path()), Facts::default());
        move_to(&ledger, moves[0]).await;
        for number in 0..DAYS as u32 * 20 {
            facts.record(&ledger, &event(number * 5 + 1, 7)).await;
        }
        for timezone in moves {
            ledger.tick(None, now()).unwrap();
            move_to(&ledger, *timezone).await;
        }
        ledger.close(now()).unwrap();
        drop(ledger);
        let ledger = without_quarters(folder.path());
        let timezone = *moves.last().unwrap();
        let calendar = Calendar { timezone, anchor_day: 1 };
        for level in LEVELS {
            for day in ledger.days(&id(level), DAYS, &calendar, now()).unwrap() {
                assert_eq!(counted(&day.table), facts.within(&day.span), "{level}, {timezone}");
            }
        }
        let another = Calendar { timezone: Tz::Pacific__Chatham, anchor_day: 1 };
        assert!(ledger.days(&id("acme"), DAYS, &another, now()).is_err(), "quarters are missed");
    }
}

/// A row that is longer than a page of rows may be lies in several.
#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_many_models_is_what_its_events_say() {
    for models in [60, 300] {
        let folder = tempfile::tempdir().unwrap();
        let ((_, ledger), mut facts) = (open(folder.path()), Facts::default());
        move_to(&ledger, Tz::Europe__London).await;
        for number in 0..models * 6 {
            let mut report = event(100 + number % 96, u64::from(number));
            report.model =
                Some(format!("a-model-of-some-name-{}", number % models).parse().unwrap());
            facts.record(&ledger, &report).await;
        }
        facts.check(&ledger, "in memory");
        ledger.tick(None, now()).unwrap();
        facts.check(&ledger, "in rows");
        facts.correct(&ledger, 5, 100_000, "c").await;
        facts.check(&ledger, "corrected");
        ledger.close(now()).unwrap();
        drop(ledger);
        let (store, ledger) = open(folder.path());
        facts.check(&ledger, "opened anew");
        assert_eq!(store.verify(&forgettable(now()), |_, _| {}).differences, []);
        drop((store, ledger));
        let rows = sled::open(folder.path()).unwrap();
        assert!(rows.scan_prefix("D").keys().any(|key| key.unwrap().ends_with(&[1])));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sum_that_says_something_else_than_its_quarters_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let ((_, ledger), mut facts) = (open(folder.path()), Facts::default());
    for number in 0..6 {
        facts.record(&ledger, &event(number, 20)).await;
    }
    ledger.close(now()).unwrap();
    drop(ledger);
    let rows = sled::open(folder.path()).unwrap();
    std::fs::remove_file(folder.path().join("seal")).unwrap();
    let key = rows.scan_prefix("Dacme/ann\0").keys().next().unwrap().unwrap();
    let day = rows.get(&key).unwrap().unwrap();
    // 120 thousandths of a dollar, then 120 tokens, and nothing larger than 20 behind them.
    let place = day.iter().rposition(|byte| *byte == 120).unwrap();
    let mut other = day.to_vec();
    other[place] = 121;
    rows.insert(key, other).unwrap();
    drop(rows);
    let verified =
        SledStore::inspect(folder.path()).unwrap().verify(&forgettable(now()), |_, _| {});
    let named: Vec<_> =
        verified.differences.iter().map(|difference| difference.to_string()).collect();
    assert_eq!(
        named,
        ["acme/ann, the sum from 2025-04-07T00:00:00Z to 2025-04-08T00:00:00Z, gemini model-0: \
          expected input_tokens 120, found input_tokens 121"]
    );
}

#[derive(Clone, Debug)]
enum Step {
    /// Events in quarters of an hour of the same day, so many days ago.
    Use {
        days_ago: u32,
        quarters: Vec<u32>,
        tokens: u64,
    },
    Correct {
        which: usize,
        tokens: u64,
    },
    Move {
        zone: usize,
    },
    Condense,
    Restart,
    /// Goes on from a backup.
    Restore,
}

fn step() -> impl Strategy<Value = Step> {
    let quarters = prop::collection::vec(0..96_u32, 1..9);
    prop_oneof![
        5 => (prop_oneof![0..3_u32, 0..DAYS as u32], quarters, 0..40_u64)
            .prop_map(|(days_ago, quarters, tokens)| Step::Use { days_ago, quarters, tokens }),
        3 => (any::<usize>(), 0..40_u64)
            .prop_map(|(which, tokens)| Step::Correct { which, tokens }),
        1 => (0..ZONES.len()).prop_map(|zone| Step::Move { zone }),
        3 => Just(Step::Condense),
        1 => Just(Step::Restart),
        1 => Just(Step::Restore),
    ]
}

async fn take_all(steps: Vec<Step>) {
    let mut folder = tempfile::tempdir().unwrap();
    let mut running = Some(open(folder.path()));
    let mut facts = Facts::default();
    for (number, step) in steps.into_iter().enumerate() {
        let (_, ledger) = running.as_ref().unwrap();
        match step {
            Step::Use { days_ago, quarters, tokens } => {
                for quarter in quarters {
                    facts.record(ledger, &event(days_ago * 96 + quarter, tokens)).await;
                }
            }
            Step::Correct { which, tokens } if !facts.0.is_empty() => {
                let which = which % facts.0.len();
                facts.correct(ledger, which, tokens, &format!("c{number}")).await;
            }
            Step::Correct { .. } => {}
            Step::Move { zone } => move_to(ledger, ZONES[zone]).await,
            Step::Condense => ledger.tick(None, now()).unwrap(),
            Step::Restart => {
                drop(running.take());
                running = Some(open(folder.path()));
            }
            Step::Restore => {
                let (_, ledger) = running.take().unwrap();
                let backup = backup_of(ledger);
                folder = tempfile::tempdir().unwrap();
                restore(&backup[..], folder.path(), |_, _, _| {}).unwrap();
                running = Some(open(folder.path()));
            }
        }
        let (store, ledger) = running.as_ref().unwrap();
        facts.check(ledger, "amid the history");
        assert_eq!(store.verify(&forgettable(now()), |_, _| {}).differences, []);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_history_gives_the_days_of_any_calendar(steps in prop::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(take_all(steps));
    }
}
