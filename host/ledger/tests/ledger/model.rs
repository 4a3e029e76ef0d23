//! Random histories, audited by a model that keeps a list of everything and adds it up anew
//! for each question.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use proptest::prelude::*;
use tollgate_domain::{Calendar, PlanBook, SubjectPath, Timestamp, Window};
use tollgate_ledger::store::sled::{SledStore, restore};
use tollgate_ledger::{Ledger, Period, ReservationId, SubscriptionChange, forgettable};

use crate::support::*;

const PATHS: [&str; 4] = ["acme", "acme/ann", "acme/bob", "zoe"];
const PLANS: [&str; 2] = ["small", "large"];
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
    Record {
        path: usize,
        tokens: u64,
        minutes_ago: u32,
    },
    Subscribe {
        path: usize,
        plan: usize,
        calendar: usize,
    },
    Pass {
        seconds: u64,
    },
    Condense,
    Restart,
    /// Goes on from a backup.
    Restore,
}

fn step() -> impl Strategy<Value = Step> {
    let path = 0..PATHS.len();
    prop_oneof![
        5 => (path.clone(), 1..40_u64, 1..200_u64)
            .prop_map(|(path, tokens, seconds)| Step::Reserve { path, tokens, seconds }),
        4 => (any::<usize>(), 0..40_u64).prop_map(|(which, tokens)| Step::Settle { which, tokens }),
        1 => any::<usize>().prop_map(|which| Step::Release { which }),
        3 => (path.clone(), 0..40_u64, prop_oneof![Just(0), 0..3_000_u32])
            .prop_map(|(path, tokens, minutes_ago)| Step::Record { path, tokens, minutes_ago }),
        1 => (path, 0..PLANS.len(), 0..CALENDARS.len())
            .prop_map(|(path, plan, calendar)| Step::Subscribe { path, plan, calendar }),
        3 => prop_oneof![1..90_u64, 600..90_000_u64].prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::Condense),
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
    ])
}

struct Hold {
    id: ReservationId,
    path: SubjectPath,
    tokens: u64,
    created_at: Timestamp,
    expires_at: Timestamp,
    ended: bool,
}

struct Model {
    now: Timestamp,
    plans: PlanBook,
    /// Path, plan and calendar, the latest last.
    assigned: Vec<(&'static str, &'static str, Calendar)>,
    holds: Vec<Hold>,
    events: Vec<(SubjectPath, u64, Timestamp)>,
}

impl Model {
    fn assigned(&self, level: &SubjectPath) -> Option<(&'static str, Calendar)> {
        let found = self.assigned.iter().rev().find(|(path, _, _)| *path == level.as_str());
        found.map(|(_, plan, calendar)| (*plan, *calendar))
    }

    /// The plan of each level, the widest first.
    fn levels(&self, path: &SubjectPath) -> Vec<(SubjectPath, Option<&'static str>)> {
        let own = |level: SubjectPath| {
            let plan = self.assigned(&level).map(|(plan, _)| plan);
            (level, plan)
        };
        let mut levels: Vec<_> = path.levels().map(own).collect();
        if levels.iter().all(|(_, plan)| plan.is_none()) {
            levels[0].1 = Some(PLANS[0]);
        }
        levels
    }

    /// Used and reserved tokens and calls of a level, in the window that contains now.
    fn sums(&self, level: &SubjectPath, window: Window) -> [(u64, u64); 2] {
        let calendar = self.assigned(level).map_or(CALENDARS[0], |(_, calendar)| calendar);
        let span = window.span(self.now, &calendar);
        let beneath = |path: &SubjectPath| path.levels().any(|l| l == *level);
        let used: Vec<_> = self
            .events
            .iter()
            .filter(|(path, _, at)| beneath(path) && span.contains(*at))
            .map(|(_, tokens, _)| *tokens)
            .collect();
        let held: Vec<_> = self
            .holds
            .iter()
            .filter(|hold| !hold.ended && hold.expires_at > self.now)
            .filter(|hold| beneath(&hold.path) && span.contains(hold.created_at))
            .map(|hold| hold.tokens)
            .collect();
        let sum = |list: &[u64]| (list.iter().sum(), list.len() as u64);
        [sum(&used), sum(&held)]
    }

    fn fits(&self, path: &SubjectPath, tokens: u64) -> bool {
        self.levels(path).iter().all(|(level, plan)| {
            let total = |window| {
                let [used, held] = self.sums(level, window);
                (used.0 + held.0 + tokens, used.1 + held.1 + 1)
            };
            match *plan {
                Some("small") => total(Window::Minute).1 <= 4 && total(Window::Day).0 <= 150,
                Some("large") => {
                    total(Window::Hour).1 <= 8
                        && total(Window::Month).0 <= 500
                        && total(Window::Lifetime).0 <= 900
                }
                _ => true,
            }
        })
    }
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
        let model = Model { now, plans, assigned: vec![], holds: vec![], events: vec![] };
        Self { folder, running, model }
    }

    async fn take(&mut self, step: Step) {
        let model = &mut self.model;
        let (_, ledger) = self.running.as_ref().unwrap();
        let now = model.now;
        match step {
            Step::Reserve { path, tokens, seconds } => {
                let lifetime = Duration::from_secs(seconds);
                let (path, expected) = (PATHS[path], model.fits(&subject(PATHS[path]), tokens));
                let got = reserve(ledger, &model.plans, path, tokens, lifetime, now).await;
                assert_eq!(got.reservation.is_some(), expected, "{path} asks {tokens}: {got:?}");
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
                let hold = &mut model.holds[at];
                let report = report(hold.path.as_str(), None, tokens, hold.created_at);
                let settled = settle(ledger, &model.plans, hold.id, &report, now).await;
                assert_eq!(settled.is_ok_and(|s| !s.duplicate), !hold.ended);
                if !std::mem::replace(&mut hold.ended, true) {
                    model.events.push((hold.path.clone(), tokens, hold.created_at));
                }
            }
            Step::Release { which } if !model.holds.is_empty() => {
                let at = which % model.holds.len();
                // Releasing what was settled is refused; the model need not know which it was.
                let _ = ledger.release(model.holds[at].id, now).await;
                model.holds[at].ended = true;
            }
            Step::Settle { .. } | Step::Release { .. } => {}
            Step::Record { path, tokens, minutes_ago } => {
                let occurred_at = now.minus(minutes_ago * MINUTES);
                let name = format!("e{}", model.events.len());
                let report = report(PATHS[path], Some(&name), tokens, occurred_at);
                record(ledger, &model.plans, &report, now).await.unwrap();
                model.events.push((subject(PATHS[path]), tokens, occurred_at));
            }
            Step::Subscribe { path, plan, calendar } => {
                let Calendar { timezone, anchor_day } = CALENDARS[calendar];
                let change = SubscriptionChange {
                    plan: PLANS[plan].parse().unwrap(),
                    billing_cycle: None,
                    timezone: Some(timezone),
                    anchor_day: Some(anchor_day),
                    status: None,
                };
                ledger.subscribe(&subject(PATHS[path]), &change, &model.plans, now).await.unwrap();
                model.assigned.push((PATHS[path], PLANS[plan], CALENDARS[calendar]));
            }
            Step::Pass { seconds } => model.now = now.plus(Duration::from_secs(seconds)),
            Step::Condense => ledger.tick(now).unwrap(),
            Step::Restart => {
                self.running = None;
                self.running = Some(open(self.folder.path()));
            }
            Step::Restore => {
                let mut backup = ledger.backup().unwrap();
                let backup: Vec<_> =
                    std::iter::from_fn(|| backup.page().unwrap()).flatten().collect();
                self.running = None;
                self.folder = tempfile::tempdir().unwrap();
                restore(&backup[..], self.folder.path(), |_, _, _| {}).unwrap();
                self.running = Some(open(self.folder.path()));
            }
        }
    }

    async fn audit(&self) {
        let (model, (store, ledger)) = (&self.model, self.running.as_ref().unwrap());
        for path in PATHS {
            for (period, window) in
                [(Period::Current, Window::Month), (Period::AllTime, Window::Lifetime)]
            {
                let usage = used(ledger, &model.plans, path, period, model.now).await;
                let [(expected, _), _] = model.sums(&subject(path), window);
                assert_eq!(tokens(&usage), expected, "{path}, {window}");
            }
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
