//! The model: lists of everything, added up anew for each question.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tollgate_domain::{
    Amount, Calendar, PeriodId, PlanBook, Quota, Span, SubjectPath, Timestamp, Window,
};
use tollgate_ledger::{BillingEntry, EventId, Recorded, ReservationId};

use super::{CALENDARS, PLANS};
use crate::support::*;

/// By how much longer a hold may count.
pub const HOLD_TOLERANCE: Duration = Duration::from_micros(62_500);

/// By how much longer a use may count that is recorded while its window is kept: a 128th of the
/// window, or half of what it is dated ahead.
pub fn kept_tolerance(seconds: u32, event: &Event) -> Duration {
    let ahead = event.at.since(event.recorded_at);
    (Duration::from_secs(seconds.into()) / 127).max(ahead / 2)
}

/// The same for one that was recorded before, and is added up from sums over minutes and
/// quarter-hours.
pub fn added_up_tolerance(seconds: u32) -> Duration {
    let whole_quarters = (seconds / 128 / 900 + 1) * 900;
    Duration::from_secs(if seconds <= 60 { 60 } else { whole_quarters.into() })
}

pub struct Hold {
    pub id: ReservationId,
    pub path: SubjectPath,
    pub tokens: u64,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended: bool,
}

pub struct Event {
    pub id: EventId,
    pub path: SubjectPath,
    /// By its last correction.
    pub tokens: u64,
    pub at: Timestamp,
    pub recorded_at: Timestamp,
}

pub struct Refused {
    pub path: SubjectPath,
    pub at: Timestamp,
    /// Whether it is counted for certain: a backup has only those that were still kept.
    pub certain: bool,
}

/// A change of what was used, as the bills see it.
pub struct Billed {
    pub path: SubjectPath,
    pub calls: i128,
    /// And thousandths of a dollar.
    pub tokens: i128,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
}

pub struct Model {
    pub now: Timestamp,
    pub plans: PlanBook,
    /// Path, plan and calendar, the latest last.
    pub assigned: Vec<(&'static str, &'static str, Calendar)>,
    pub holds: Vec<Hold>,
    pub events: Vec<Event>,
    /// How many events there were when a level surely began to keep the windows of a plan.
    pub kept: HashMap<(SubjectPath, &'static str), usize>,
    pub billed: Vec<Billed>,
    pub corrections: usize,
    pub refused: Vec<Refused>,
}

impl Model {
    pub fn assigned(&self, level: &SubjectPath) -> Option<(&'static str, Calendar)> {
        let found = self.assigned.iter().rev().find(|(path, _, _)| *path == level.as_str());
        found.map(|(_, plan, calendar)| (*plan, *calendar))
    }

    /// The plan of each level, the widest first.
    pub fn levels(&self, path: &SubjectPath) -> Vec<(SubjectPath, Option<&'static str>)> {
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

    pub fn calendar(&self, level: &SubjectPath) -> Calendar {
        self.assigned(level).map_or(CALENDARS[0], |(_, calendar)| calendar)
    }

    /// Used and reserved tokens and calls of a level: of the events and holds that count.
    pub fn sums(
        &self,
        level: &SubjectPath,
        event_counts: impl Fn(usize, &Event) -> bool,
        hold_counts: impl Fn(&Hold) -> bool,
    ) -> [(u64, u64); 2] {
        let beneath = |path: &SubjectPath| path.levels().any(|l| l == *level);
        let used: Vec<_> = (0..)
            .zip(&self.events)
            .filter(|(_, event)| beneath(&event.path))
            .filter(|(number, event)| event_counts(*number, event))
            .map(|(_, event)| event.tokens)
            .collect();
        let held: Vec<_> = self
            .holds
            .iter()
            .filter(|hold| !hold.ended && hold.expires_at > self.now)
            .filter(|hold| beneath(&hold.path) && hold_counts(hold))
            .map(|hold| hold.tokens)
            .collect();
        let sum = |list: &[u64]| (list.iter().sum(), list.len() as u64);
        [sum(&used), sum(&held)]
    }

    /// Those in a window that begins by the calendar and contains now.
    pub fn in_window(&self, level: &SubjectPath, window: Window) -> [(u64, u64); 2] {
        let calendar = self.calendar(level);
        let span = window.span(self.now, &calendar);
        self.sums(level, |_, event| span.contains(event.at), |hold| span.contains(hold.created_at))
    }

    /// Tokens and calls of every month with use, in a level's present calendar.
    pub fn months(&self, level: &SubjectPath) -> BTreeMap<PeriodId, (u64, u64)> {
        let calendar = self.calendar(level);
        let months = self.events.iter().map(|event| {
            let (month, span) =
                (calendar.period(event.at), Window::Month.span(event.at, &calendar));
            (month, self.sums(level, |_, other| span.contains(other.at), |_| false)[0])
        });
        months.collect()
    }

    /// The least and the most that may count as used and as reserved in the window of a quota of
    /// a level's plan.
    pub fn counted(
        &self,
        level: &SubjectPath,
        plan: &'static str,
        quota: &Quota,
    ) -> [[Amount; 2]; 2] {
        let measured = |sums: [(u64, u64); 2]| {
            sums.map(|(tokens, calls)| match quota.meter.as_str() {
                "tokens" => tokens.into(),
                "cost" => price(tokens).0,
                _ => calls.into(),
            })
        };
        let Window::Sliding(seconds) = quota.window else {
            return [measured(self.in_window(level, quota.window)); 2];
        };
        let counts = |at: Timestamp| at.plus(seconds.duration()) > self.now;
        let least = self.sums(level, |_, event| counts(event.at), |hold| counts(hold.created_at));
        let seconds = seconds.get();
        let kept = self.kept.get(&(level.clone(), plan)).copied().unwrap_or(usize::MAX);
        let tolerance = |number, event: &Event| {
            let kept_tolerance = kept_tolerance(seconds, event);
            let added_up = if number < kept { added_up_tolerance(seconds) } else { Duration::ZERO };
            kept_tolerance.max(added_up)
        };
        let most = self.sums(
            level,
            |number, event| counts(event.at.plus(tolerance(number, event))),
            |hold| counts(hold.created_at.plus(HOLD_TOLERANCE)),
        );
        [measured(least), measured(most)]
    }

    /// Takes note that the levels of a path are asked about. A default plan is in force on some
    /// paths and not on others once anybody has chosen one: its windows may be forgotten meanwhile.
    pub fn ask(&mut self, path: &SubjectPath) {
        for (level, plan) in self.levels(path) {
            let always = self.assigned(&level).is_some() || self.assigned.is_empty();
            if let Some(plan) = plan.filter(|_| always) {
                self.kept.entry((level, plan)).or_insert(self.events.len());
            }
        }
    }

    pub fn use_up(&mut self, recorded: &Recorded, tokens: u64) {
        let report = &recorded.event.report;
        let (path, at, recorded_at) = (report.subject.clone(), report.occurred_at, self.now);
        self.billed.push(Billed {
            path: path.clone(),
            calls: 1,
            tokens: tokens.into(),
            occurred_at: at,
            recorded_at,
        });
        self.events.push(Event { id: recorded.id, path, tokens, at, recorded_at });
    }

    /// What an entry should say: calls, tokens, and the tokens of adjustments.
    pub fn bill(&self, level: &SubjectPath, entry: &BillingEntry) -> [i128; 3] {
        let span = Span { start: entry.start, end: Some(entry.end) };
        let mut sums = [0; 3];
        for billed in self.billed.iter().filter(|b| b.path.levels().any(|l| l == *level)) {
            if span.contains(billed.occurred_at) && billed.recorded_at < entry.end {
                sums[0] += billed.calls;
                sums[1] += billed.tokens;
            } else if span.contains(billed.recorded_at) && billed.occurred_at < entry.start {
                sums[2] += billed.tokens;
            }
        }
        sums
    }

    /// Whether a call fits for certain, and whether it may.
    pub fn fits(&self, path: &SubjectPath, tokens: u64) -> (bool, bool) {
        let (mut surely, mut possibly) = (true, true);
        for (level, plan) in self.levels(path) {
            let Some(plan) = plan else { continue };
            for quota in &self.plans.get(&plan.parse().unwrap()).unwrap().quotas {
                let asked = quota.meter.measure(&usage(tokens), Some(price(tokens))).unwrap();
                let fits = |[used, held]: [Amount; 2]| {
                    let total = used.checked_add(held).unwrap().checked_add(asked).unwrap();
                    total <= quota.limit.unwrap()
                };
                let [least, most] = self.counted(&level, plan, quota);
                possibly &= fits(least);
                surely &= fits(most);
            }
        }
        (surely, possibly)
    }
}
