//! Random histories, audited by a model that keeps a list of everything and adds it up anew
//! for each question.
//!
//! Its answers are exact, save on sliding windows: there, what has left may count a little longer,
//! as long as the model's tolerances say. What is granted must fit all the same.

mod naive;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use proptest::prelude::*;
use tollgate_domain::{Calendar, PlanBook, Quota, Timestamp, Window};
use tollgate_ledger::store::sled::{SledStore, restore};
use tollgate_ledger::{Ledger, LogFilter, Period, REFUSALS_KEPT, SubscriptionChange, forgettable};

use self::naive::{Billed, Hold, Model, Refused};
use crate::support::*;

const PATHS: [&str; 4] = ["acme", "acme/ann", "acme/bob", "zoe"];
const PLANS: [&str; 4] = ["small", "large", "short", "long"];
/// The lengths of the windows that slide.
const SLIDING_SECONDS: [u32; 7] = [1, 7, 30, 200, 10_000, 200_000, 2_678_400];
const CALENDARS: [Calendar; 3] = [
    Calendar { timezone: Tz::UTC, anchor_day: 1 },
    Calendar { timezone: Tz::America__St_Johns, anchor_day: 31 },
    Calendar { timezone: Tz::Asia__Kathmandu, anchor_day: 15 },
];

#[derive(Clone, Debug)]
enum Step {
    Reserve {
        path: usize,
        tokens: u64,
        seconds: u64,
    },
    Settle {
        which: usize,
        tokens: u64,
    },
    Release {
        which: usize,
    },
    /// Of a use so many seconds from now, or ago.
    Record {
        path: usize,
        tokens: u64,
        later: i64,
    },
    /// Says that an event used so many tokens.
    Correct {
        which: usize,
        tokens: u64,
    },
    Subscribe {
        path: usize,
        plan: usize,
        calendar: usize,
    },
    Pass {
        millis: u64,
    },
    /// To the moment before an event leaves a sliding window, or to that at which it does.
    PassTo {
        which: usize,
        window: usize,
        left: bool,
    },
    Look {
        path: usize,
    },
    Condense,
    Restart,
    /// Goes on from a backup.
    Restore,
}

fn step() -> impl Strategy<Value = Step> {
    let path = 0..PATHS.len();
    let later = prop_oneof![2 => Just(0), 1 => -180_000..0_i64, 1 => -150..0_i64, 1 => 1..=300_i64];
    prop_oneof![
        5 => (path.clone(), 1..40_u64, 1..200_u64)
            .prop_map(|(path, tokens, seconds)| Step::Reserve { path, tokens, seconds }),
        4 => (any::<usize>(), 0..40_u64).prop_map(|(which, tokens)| Step::Settle { which, tokens }),
        1 => any::<usize>().prop_map(|which| Step::Release { which }),
        4 => (path.clone(), 0..40_u64, later)
            .prop_map(|(path, tokens, later)| Step::Record { path, tokens, later }),
        2 => (any::<usize>(), 0..40_u64)
            .prop_map(|(which, tokens)| Step::Correct { which, tokens }),
        1 => (path.clone(), 0..PLANS.len(), 0..CALENDARS.len())
            .prop_map(|(path, plan, calendar)| Step::Subscribe { path, plan, calendar }),
        5 => prop_oneof![1..9_000_u64, 1_000..90_000_u64, 600_000..90_000_000_u64]
            .prop_map(|millis| Step::Pass { millis }),
        1 => (900_000_000..6_000_000_000_u64).prop_map(|millis| Step::Pass { millis }),
        3 => (any::<usize>(), 0..SLIDING_SECONDS.len(), any::<bool>())
            .prop_map(|(which, window, left)| Step::PassTo { which, window, left }),
        2 => path.prop_map(|path| Step::Look { path }),
        3 => Just(Step::Condense),
        1 => Just(Step::Restart),
        1 => Just(Step::Restore),
    ]
}

fn plans() -> PlanBook {
    book(vec![
        plan(
            PLANS[0],
            vec![
                quota("minute_calls", "calls", Window::Minute, "4"),
                quota("day_tokens", "tokens", Window::Day, "150"),
                sliding("sliding_calls", "calls", 2, "3"),
            ],
        ),
        plan(
            PLANS[1],
            vec![
                quota("hour_calls", "calls", Window::Hour, "8"),
                quota("month_cost", "cost", Window::Month, "0.500"),
                quota("lifetime_tokens", "tokens", Window::Lifetime, "900"),
            ],
        ),
        plan(
            PLANS[2],
            vec![
                sliding("one_second", "calls", 0, "1"),
                sliding("some_seconds", "tokens", 1, "90"),
                sliding("some_minutes", "calls", 3, "6"),
            ],
        ),
        plan(
            PLANS[3],
            vec![
                sliding("hours", "cost", 4, "0.200"),
                sliding("days", "tokens", 5, "400"),
                sliding("all", "calls", 6, "25"),
            ],
        ),
    ])
}

fn sliding(name: &str, meter: &str, window: usize, limit: &str) -> Quota {
    let seconds = SLIDING_SECONDS[window];
    quota(name, meter, format!("sliding:{seconds}").parse().unwrap(), limit)
}

struct World {
    folder: tempfile::TempDir,
    running: Option<(Arc<SledStore>, Ledger<SledStore>)>,
    model: Model,
}

fn open(folder: &Path) -> (Arc<SledStore>, Ledger<SledStore>) {
    let store = Arc::new(SledStore::open(folder).unwrap());
    (store.clone(), Ledger::open(store).unwrap())
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let running = Some(open(folder.path()));
        let (now, plans) = (at("2025-01-30T22:59:30Z"), plans());
        let model = Model {
            now,
            plans,
            assigned: vec![],
            holds: vec![],
            events: vec![],
            kept: HashMap::new(),
            billed: vec![],
            corrections: 0,
            refused: vec![],
        };
        Self { folder, running, model }
    }

    async fn take(&mut self, step: Step) {
        let model = &mut self.model;
        let (_, ledger) = self.running.as_ref().unwrap();
        let now = model.now;
        match step {
            Step::Reserve { path, tokens, seconds } => {
                let lifetime = Duration::from_secs(seconds);
                let path = PATHS[path];
                model.ask(&subject(path));
                let (surely, possibly) = model.fits(&subject(path), tokens);
                let got = reserve(ledger, &model.plans, path, tokens, lifetime, now).await;
                match got.reservation {
                    Some(_) => assert!(possibly, "{path} may not have {tokens}: {got:?}"),
                    None => assert!(!surely, "{path} may have {tokens}: {got:?}"),
                }
                let refused = || Refused { path: subject(path), at: now, certain: true };
                model.refused.extend(got.reservation.is_none().then(refused));
                model.holds.extend(got.reservation.map(|hold| Hold {
                    id: hold.id,
                    path: subject(path),
                    tokens,
                    created_at: now,
                    expires_at: now.plus(lifetime),
                    ended: false,
                }));
            }
            Step::Settle { which, tokens } if !model.holds.is_empty() => {
                let at = which % model.holds.len();
                model.ask(&model.holds[at].path.clone());
                let hold = &mut model.holds[at];
                let report = report(hold.path.as_str(), None, tokens, hold.created_at);
                let settled = settle(ledger, &model.plans, hold.id, &report, now).await;
                let known = hold.expires_at.plus(Duration::from_secs(7 * 24 * 3600)) > now;
                let settles = known && !hold.ended;
                assert_eq!(settled.as_ref().is_ok_and(|s| !s.duplicate), settles);
                hold.ended = true;
                if settles {
                    model.use_up(&settled.unwrap(), tokens);
                }
            }
            Step::Release { which } if !model.holds.is_empty() => {
                let at = which % model.holds.len();
                // Releasing what was settled is refused; the model need not know which it was.
                let _ = ledger.release(model.holds[at].id, &model.plans, now).await;
                model.holds[at].ended = true;
            }
            Step::Settle { .. } | Step::Release { .. } => {}
            Step::Record { path, tokens, later } => {
                let apart = Duration::from_secs(later.unsigned_abs());
                let occurred_at = if later > 0 { now.plus(apart) } else { now.minus(apart) };
                model.ask(&subject(PATHS[path]));
                let name = format!("e{}", model.events.len());
                let report = report(PATHS[path], Some(&name), tokens, occurred_at);
                let recorded = record(ledger, &model.plans, &report, now).await.unwrap();
                model.use_up(&recorded, tokens);
            }
            Step::Correct { which, tokens } if !model.events.is_empty() => {
                let at = which % model.events.len();
                let key = format!("c{}", model.corrections);
                model.corrections += 1;
                let event = &mut model.events[at];
                let corrected = correct(ledger, &model.plans, event.id, &key, tokens, now).await;
                assert!(!corrected.unwrap().duplicate);
                model.billed.push(Billed {
                    path: event.path.clone(),
                    calls: 0,
                    tokens: i128::from(tokens) - i128::from(event.tokens),
                    occurred_at: event.at,
                    recorded_at: now,
                });
                event.tokens = tokens;
                // Sliding windows are added up anew.
                let path = event.path.clone();
                model.kept.retain(|(level, _), _| path.levels().all(|other| other != *level));
            }
            Step::Correct { .. } => {}
            Step::Subscribe { path, plan, calendar } => {
                let Calendar { timezone, anchor_day } = CALENDARS[calendar];
                let change = SubscriptionChange {
                    plan: PLANS[plan].parse().unwrap(),
                    billing_cycle: None,
                    timezone: Some(timezone),
                    anchor_day: Some(anchor_day),
                    status: None,
                };
                ledger
                    .subscribe(&subject(PATHS[path]), &change, &model.plans, now, |_| vec![])
                    .await
                    .unwrap();
                model.assigned.push((PATHS[path], PLANS[plan], CALENDARS[calendar]));
                model.kept.clear();
            }
            Step::Pass { millis } => model.now = now.plus(Duration::from_millis(millis)),
            Step::PassTo { which, window, left } if !model.events.is_empty() => {
                let event = &model.events[which % model.events.len()];
                let leaves_at = event.at.plus(Duration::from_secs(SLIDING_SECONDS[window].into()));
                let just = Duration::from_micros(u64::from(!left));
                model.now = now.max(leaves_at.minus(just));
            }
            Step::PassTo { .. } => {}
            Step::Look { path } => self.look(PATHS[path]).await,
            Step::Condense => ledger.tick(Some(&model.plans), now).unwrap(),
            Step::Restart => {
                self.running = None;
                self.running = Some(open(self.folder.path()));
                model.kept.clear();
            }
            Step::Restore => {
                // Nobody waits for the note of a refusal; who asks for them does.
                ledger.refusal_counts(&subject(PATHS[0])).await.unwrap();
                let mut backup = ledger.backup().unwrap();
                let backup: Vec<_> =
                    std::iter::from_fn(|| backup.page().unwrap()).flatten().collect();
                self.running = None;
                self.folder = tempfile::tempdir().unwrap();
                restore(&backup[..], self.folder.path(), |_, _, _| {}).unwrap();
                self.running = Some(open(self.folder.path()));
                model.kept.clear();
                for refused in &mut model.refused {
                    refused.certain &= refused.at.plus(REFUSALS_KEPT) > now;
                }
            }
        }
    }

    /// Compares where a level stands on the quotas of its plan.
    async fn look(&mut self, path: &str) {
        let (model, (_, ledger)) = (&mut self.model, self.running.as_ref().unwrap());
        model.ask(&subject(path));
        let usage = used(ledger, &model.plans, path, Period::Current, model.now).await;
        let (level, plan) = model.levels(&subject(path)).pop().unwrap();
        for got in &usage.quotas {
            let plan = plan.unwrap();
            let book = model.plans.get(&plan.parse().unwrap()).unwrap();
            let quota = book.quotas.iter().find(|quota| quota.name == got.name).unwrap();
            let [least, most] = model.counted(&level, plan, quota);
            for (got, bounds) in [(got.used, 0), (got.reserved, 1)] {
                let bounds = least[bounds]..=most[bounds];
                assert!(bounds.contains(&got), "{path}, {}: {got} in {bounds:?}", quota.name);
            }
            if let Window::Sliding(_) = quota.window {
                assert!(got.resets_at.unwrap() > model.now, "{path}, {}", quota.name);
            }
        }
    }

    async fn audit(&mut self) {
        for path in PATHS {
            self.look(path).await;
        }
        let (model, (store, ledger)) = (&self.model, self.running.as_ref().unwrap());
        for path in PATHS {
            for (period, window) in
                [(Period::Current, Window::Month), (Period::AllTime, Window::Lifetime)]
            {
                let usage = used(ledger, &model.plans, path, period, model.now).await;
                let [(expected, _), _] = model.in_window(&subject(path), window);
                assert_eq!(tokens(&usage), expected, "{path}, {window}");
            }
            for (month, expected) in model.months(&subject(path)) {
                let period = Period::Of(month.clone());
                let usage = used(ledger, &model.plans, path, period, model.now).await;
                let calls = usage.table.cells().iter().map(|cell| cell.totals.events).sum::<u64>();
                assert_eq!((tokens(&usage), calls), expected, "{path}, {month}");
            }
        }
        for path in PATHS {
            let mut events: Vec<_> = model.events.iter().collect();
            events.retain(|event| event.path.levels().any(|level| level.as_str() == path));
            events.sort_by_key(|event| Reverse((event.at, event.id)));
            let all = LogFilter::default();
            let page = ledger.log(&subject(path), &all, 3, 5).unwrap();
            let listed = page.entries.iter().map(|e| (e.id, e.used.usage.tokens().unwrap()));
            let expected = events.iter().skip(3).take(5).map(|e| (e.id, e.tokens));
            assert_eq!(listed.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{path}");
            assert_eq!((page.total, page.has_more), (events.len() as u64, events.len() > 8));
        }
        for path in PATHS {
            let level = subject(path);
            let counts = ledger.refusal_counts(&level).await.unwrap();
            let counted: u64 = counts.values().flat_map(|counts| counts.0.values()).sum();
            let refused = || {
                let on_path = |r: &&Refused| r.path.levels().any(|other| other == level);
                model.refused.iter().filter(on_path)
            };
            let certain = refused().filter(|refused| refused.certain).count() as u64;
            assert!((certain..=refused().count() as u64).contains(&counted), "{path}: {counted}");
            let history = ledger.billing_history(&level, &model.plans, model.now).await.unwrap();
            for (before, after) in history.iter().zip(history.iter().skip(1)) {
                assert!(before.end <= after.start, "{path}: {before:?} {after:?}");
            }
            for entry in &history {
                assert!(entry.start < entry.end && entry.end <= model.now, "{path}: {entry:?}");
                let found = [entry.usage_cost, entry.adjustments].map(|cost| cost.0.attos());
                let thousandths = found.map(|cost| cost / 10_i128.pow(15));
                let [calls, tokens, adjusted] = model.bill(&level, entry);
                assert_eq!(i128::from(entry.calls), calls, "{path}: {entry:?}");
                assert_eq!(i128::from(entry.tokens), tokens, "{path}: {entry:?}");
                assert_eq!(thousandths, [tokens, adjusted], "{path}: {entry:?}");
            }
            if model.assigned(&level).is_some() {
                // Another calendar may have moved where the open period ends.
                continue;
            }
            // Nothing that a root used is in no entry, once its month is over: what is not comes to
            // nothing.
            let closed = history.last().map_or(Timestamp::EPOCH, |last| last.end);
            let month = Window::Month.span(model.now, &model.calendar(&level));
            let unbilled = model.billed.iter().filter(|b| b.path.root() == level);
            let unbilled = unbilled.filter(|b| b.recorded_at >= closed);
            let over = unbilled.filter(|b| !month.contains(b.recorded_at));
            assert_eq!(over.map(|b| b.tokens).sum::<i128>(), 0, "{path}");
        }
        let verified = store.verify(&forgettable(model.now), |_, _| {});
        assert_eq!(verified.differences, []);
        assert_eq!(verified.events, model.events.len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_history_gives_the_answers_of_the_naive_model(
        steps in prop::collection::vec(step(), 1..70)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            for step in steps {
                world.take(step).await;
            }
            world.audit().await;
            world.take(Step::Restart).await;
            world.audit().await;
        });
    }
}
