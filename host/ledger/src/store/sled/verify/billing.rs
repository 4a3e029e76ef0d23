//! Closed billing periods: what they add up to, when they are due, and that none is missing.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use tollgate_domain::{Calendar, Span, SubjectId, Timestamp, Usd, Window};

use super::difference::Differences;
use crate::billing::BillingEntry;
use crate::store::sled::SledStore;
use crate::store::sled::block::Entry;
use crate::store::sled::overlay::Quarter;
use crate::store::sled::rows::Key;
use crate::store::{Change, Fact, Store};
use crate::totals::Totals;

#[derive(Default)]
pub struct Billing(HashMap<SubjectId, Level>);

/// What the blocks say of a level's open period.
#[derive(Default)]
struct Level {
    calendar: Calendar,
    open: Option<(Timestamp, Timestamp)>,
    used: BTreeMap<Quarter, Sum>,
    adjustments: i128,
    entries: usize,
}

/// Calls, tokens, and cost in the 18th decimal. Corrections take away as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum([i128; 3]);

impl Billing {
    pub fn add(&mut self, store: &SledStore, entry: &Entry, differences: &mut Differences) {
        match &entry.change {
            Change::Subscribed { subject, subscription, .. } => {
                let level = self.0.entry(subject.clone()).or_default();
                level.arrive(entry.at);
                if level.calendar != subscription.calendar {
                    level.calendar = subscription.calendar;
                    let end = month(entry.at, &level.calendar).1;
                    level.open = level.open.map(|(start, _)| (start, end));
                }
            }
            Change::Closed { subject, entry } => {
                let level = self.0.entry(subject.clone()).or_default();
                level.close(subject, entry, differences);
                let row = format!("the billing entry until {}", entry.end);
                let stored = differences.readable(&row, store.billing_history(subject));
                if stored.is_some_and(|stored| !stored.contains(entry)) {
                    differences.push(Some(subject), &row, "one", "none, or another");
                }
            }
            change => {
                let Some(fact) = change.fact() else { return };
                for subject in fact.subject().levels() {
                    self.0.entry(subject).or_default().count(&fact, entry.at);
                }
            }
        }
    }

    pub fn compare(self, store: &SledStore, differences: &mut Differences) {
        for (subject, level) in self.0 {
            let stored = store.billing_history(&subject).map(|stored| stored.len());
            let stored = differences.readable_of(Some(&subject), "the billing history", stored);
            if let Some(found) = stored.filter(|found| *found != level.entries) {
                let row = "the billing history's length";
                differences.push(Some(&subject), row, level.entries, found);
            }
            // That the account cannot be read is named elsewhere.
            let account = store.account(&subject).ok().flatten();
            let due = account.and_then(|(_, account)| account.due_at(&subject));
            if let Some(at) = due {
                let (row, due) = ("the end of the billing period", (at, subject.clone()));
                let in_memory = store.memory.read().overlays().any(|o| o.due.contains(&due));
                let stored = store.rows.has(&Key::due(at, &subject));
                let stored = differences.readable_of(Some(&subject), row, stored);
                if stored.is_some_and(|stored| !stored && !in_memory) {
                    differences.push(Some(&subject), row, format_args!("it due at {at}"), "none");
                }
            }
        }
    }
}

impl Level {
    /// Opens the month that contains `now`, unless a period is open that contains it.
    fn arrive(&mut self, now: Timestamp) {
        if self.open.is_none_or(|(_, end)| end <= now) {
            let (start, end) = month(now, &self.calendar);
            self.open = Some((start, end));
            self.adjustments = 0;
            self.used.retain(|quarter, _| quarter.start() >= start);
        }
    }

    fn count(&mut self, fact: &Fact, now: Timestamp) {
        self.arrive(now);
        let counted = match fact {
            Fact::Event(event) => Sum::of(&Totals::of_event(event)),
            Fact::Correction(correction) => {
                let [before, after] = correction.totals();
                Sum::of(&after).plus(Sum::of(&before).negative())
            }
        };
        if self.open.is_some_and(|(start, _)| fact.occurred_at() < start) {
            self.adjustments += counted.0[2];
        } else {
            let sum = self.used.entry(Quarter::of(fact.occurred_at())).or_default();
            *sum = sum.plus(counted);
        }
    }

    fn close(&mut self, subject: &SubjectId, entry: &BillingEntry, differences: &mut Differences) {
        self.entries += 1;
        let row = |what| format!("{what} of the billing period until {}", entry.end);
        let (start, end) = self.open.unwrap_or((entry.start, entry.end));
        let claimed = (entry.start, entry.end);
        if claimed != (start, end) {
            let [expected, found] = [(start, end), claimed].map(|(a, b)| format!("{a} to {b}"));
            differences.push(Some(subject), &row("the span"), expected, found);
        }
        let later = self.used.split_off(&Quarter::of(end));
        let used = self.used.values().fold(Sum::default(), |sum, more| sum.plus(*more));
        let found = Sum([entry.calls.into(), entry.tokens.into(), entry.usage_cost.0.attos()]);
        if used != found {
            differences.push(Some(subject), &row("the use"), used, found);
        }
        let Usd(adjustments) = entry.adjustments;
        if adjustments.attos() != self.adjustments {
            let found = adjustments.attos();
            differences.push(Some(subject), &row("the adjustments"), self.adjustments, found);
        }
        self.used = later;
        self.adjustments = 0;
        self.open = Some((end, month(end, &self.calendar).1));
    }
}

impl Sum {
    fn of(totals: &Totals) -> Self {
        let (calls, tokens) = (totals.quantity("calls"), totals.tokens());
        Self([calls.into(), tokens.into(), totals.cost.0.attos()])
    }

    fn plus(self, Self(other): Self) -> Self {
        let Self(mut sum) = self;
        sum.iter_mut().zip(other).for_each(|(sum, more)| *sum = sum.wrapping_add(more));
        Self(sum)
    }

    fn negative(self) -> Self {
        Self(self.0.map(i128::wrapping_neg))
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([calls, tokens, cost]) = self;
        write!(f, "{calls} calls, {tokens} tokens, {cost} attodollars")
    }
}

fn month(at: Timestamp, calendar: &Calendar) -> (Timestamp, Timestamp) {
    let Span { start, end } = Window::Month.span(at, calendar);
    (start, end.unwrap_or(start))
}
