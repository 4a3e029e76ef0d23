//! What the ledger knows of one level: pure values and pure transitions.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    Amount, Calendar, Plan, Quota, QuotaName, SlidingSeconds, Span, SubjectId, Subscription,
    Timestamp, Window,
};

use crate::billing::{BillingEntry, OpenPeriod};
use crate::correction::Correction;
use crate::event::{Event, Raised};
use crate::sliding::SlidingTally;
use crate::store::Change;
use crate::totals::{Overflow, Table, Totals};

const MINUTE_MICROS: i64 = 60_000_000;

/// How long the minutes are kept from which a quota on a minute is built: longer than a
/// minute, in case such a quota appears in the middle of one.
const RECENT_MICROS: i64 = 2 * MINUTE_MICROS;

/// The state of one level. It follows from the subscriptions and events of that level alone,
/// save for which tallies it keeps: those are a cache over the store's buckets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// `None` where nobody chose a plan.
    pub subscription: Option<Subscription>,
    tallies: Vec<Tally>,
    /// Use by the minute, of the last minutes only.
    recent: Vec<(Timestamp, Table)>,
    raised: Vec<Raised>,
    /// `None` until something is used or somebody subscribes.
    open: Option<OpenPeriod>,
    sliding: Vec<SlidingTally>,
    /// When its latest use was, or will be.
    latest_use: Timestamp,
}

/// What was used in one window of time, of those that begin by the calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub window: Window,
    pub span: Span,
    pub table: Table,
}

impl Default for Account {
    fn default() -> Self {
        // A lifetime cannot be rebuilt at a cost independent of history: it is kept from the
        // first event on.
        let window = Window::Lifetime;
        let span = window.span(Timestamp::from_micros(0), &Calendar::default());
        let lifetime = Tally { window, span, table: Table::default() };
        Self {
            subscription: None,
            tallies: vec![lifetime],
            recent: vec![],
            raised: vec![],
            open: None,
            sliding: vec![],
            latest_use: Timestamp::EPOCH,
        }
    }
}

impl Account {
    pub fn calendar(&self) -> Calendar {
        self.subscription.as_ref().map_or_else(Calendar::default, |s| s.calendar)
    }

    /// What was used in the window of this length that contains `at`; `None` where that has not
    /// been added up yet.
    pub fn tally(&self, window: Window, at: Timestamp) -> Option<&Tally> {
        self.tallies.iter().find(|tally| tally.window == window && tally.span.contains(at))
    }

    /// What was used of a quota in the seconds that end now; `None` where that has not been added
    /// up yet.
    pub fn sliding(&self, quota: &Quota, seconds: SlidingSeconds) -> Option<&SlidingTally> {
        self.sliding.iter().find(|tally| tally.is_of(quota, seconds))
    }

    pub fn all_sliding(&self) -> &[SlidingTally] {
        &self.sliding
    }

    /// All windows by the calendar that are added up, the recent minutes among them.
    pub fn windows(&self) -> impl Iterator<Item = (Window, Span, &Table)> {
        let tallies = self.tallies.iter().map(|tally| (tally.window, tally.span, &tally.table));
        let recent = self.recent.iter().map(|(start, table)| {
            let end = start.plus(Duration::from_micros(MINUTE_MICROS.unsigned_abs()));
            (Window::Minute, Span { start: *start, end: Some(end) }, table)
        });
        tallies.chain(recent)
    }

    /// Changes the subscription. What was used stays used; where windows begin elsewhere now,
    /// they are added up anew.
    pub fn subscribe(&mut self, subscription: Subscription, own: &SubjectId, now: Timestamp) {
        let (before, calendar) = (self.calendar(), subscription.calendar);
        let open = self.arrive(own, now);
        if calendar != before {
            open.follow(&calendar, now);
            self.tallies.retain(|tally| tally.window == Window::Lifetime);
        }
        self.subscription = Some(subscription);
    }

    /// When the open billing period ends, where that leaves an entry.
    pub fn due_at(&self, own: &SubjectId) -> Option<Timestamp> {
        let open = self.open.as_ref()?;
        let is_billed = self.subscription.is_some() || (own.is_root() && open.is_used());
        is_billed.then(|| open.end())
    }

    /// The entry that the open billing period becomes when it closes.
    pub fn entry(&self, plan: Option<&Plan>) -> Option<BillingEntry> {
        Some(self.open.as_ref()?.entry(self.subscription.as_ref(), plan))
    }

    /// Closes the open billing period, whose entry is written.
    pub fn close(&mut self) {
        let next = self.open.as_ref().map(|open| open.next(&self.calendar()));
        self.open = next;
    }

    /// Keeps a tally from now on.
    pub fn keep(&mut self, tally: Tally, now: Timestamp) {
        self.forget_what_passed(now);
        self.tallies.push(tally);
    }

    pub fn keep_sliding(&mut self, tally: SlidingTally) {
        self.sliding.push(tally);
    }

    /// The minutes of which all use is known here, by their beginnings: those from this instant on.
    pub fn recent_minutes(
        &self,
        now: Timestamp,
    ) -> (Timestamp, impl Iterator<Item = (Timestamp, &Table)>) {
        let oldest = Timestamp::from_micros(now.micros() - RECENT_MICROS + MINUTE_MICROS);
        let first = start_of_minute(oldest);
        let minutes = self.recent.iter().filter(move |(start, _)| *start >= first);
        (first, minutes.map(|(start, table)| (*start, table)))
    }

    /// When the latest use was; ahead of now, if its clock was.
    pub fn latest_use(&self) -> Timestamp {
        self.latest_use
    }

    /// What the recent minutes say of a span of one minute.
    pub fn recent_minute(&self, span: &Span) -> Table {
        let minute = self.recent.iter().find(|(start, _)| *start == span.start);
        minute.map(|(_, table)| table.clone()).unwrap_or_default()
    }

    /// The alerts of windows that have not passed.
    pub fn raised(&self) -> &[Raised] {
        &self.raised
    }

    /// The thresholds, in percent, raised for a quota over a sliding window less than its length
    /// ago.
    pub fn thresholds_raised_lately(
        &self,
        quota: &QuotaName,
        limit: Amount,
        seconds: SlidingSeconds,
        now: Timestamp,
    ) -> Vec<u32> {
        self.raised
            .iter()
            .filter(|raised| {
                let alert = &raised.alert;
                let end = raised.window_start.plus(seconds.duration());
                let lately = raised.window_end == Some(end) && end > now;
                lately && alert.quota == *quota && alert.limit == limit
            })
            .map(|raised| raised.alert.threshold)
            .collect()
    }

    /// The thresholds, in percent, raised for a quota in a window that began then.
    pub fn thresholds_raised(
        &self,
        quota: &QuotaName,
        limit: Amount,
        window_start: Timestamp,
    ) -> Vec<u32> {
        self.raised
            .iter()
            .filter(|raised| {
                let alert = &raised.alert;
                raised.window_start == window_start && alert.quota == *quota && alert.limit == limit
            })
            .map(|raised| raised.alert.threshold)
            .collect()
    }

    /// Adds an event of this level or of one beneath it.
    pub fn record(&mut self, own: &SubjectId, event: &Event) -> Result<(), Overflow> {
        let (report, totals) = (&event.report, Totals::of_event(event));
        let (provider, model) = (&report.provider, report.model.as_ref());
        let (occurred_at, now) = (report.occurred_at, event.recorded_at);
        self.arrive(own, now).count(occurred_at, None, &totals, now)?;
        self.count(occurred_at, now, |table| table.add(provider, model, &totals))?;
        for tally in &mut self.sliding {
            tally.add(report, now)?;
        }
        self.sliding.retain(|tally| !tally.is_forgettable(now));
        self.latest_use = self.latest_use.max(occurred_at);
        self.raise(own, &event.raised);
        Ok(())
    }

    /// Counts what an event of this level or of one beneath it counts once it is corrected.
    pub fn correct(&mut self, own: &SubjectId, correction: &Correction) -> Result<(), Overflow> {
        let (provider, model) = (&correction.provider, correction.model.as_ref());
        let (occurred_at, now) = (correction.occurred_at, correction.recorded_at);
        let [before, after] = correction.totals();
        self.arrive(own, now).count(occurred_at, Some(&before), &after, now)?;
        self.count(occurred_at, now, |table| {
            table.add(provider, model, &after)?;
            table.take(provider, model, &before)
        })?;
        // Which of its buckets the event lies in, nobody knows any more: it is added up anew.
        self.sliding.retain(|tally| !tally.may_count(occurred_at, now));
        self.raise(own, &correction.raised);
        Ok(())
    }

    /// Repeats what a unit did to this level.
    pub fn replay(
        &mut self,
        own: &SubjectId,
        at: Timestamp,
        change: &Change,
    ) -> Result<(), Overflow> {
        match change {
            Change::Settled { event, .. } | Change::Recorded(event) => self.record(own, event)?,
            Change::Corrected(correction) => self.correct(own, correction)?,
            Change::Subscribed { subscription, raised, .. } => {
                self.subscribe(subscription.clone(), own, at);
                self.raise(own, raised);
            }
            Change::Closed { .. } => self.close(),
            Change::Reserved { .. }
            | Change::Released(_)
            | Change::Refused(_)
            | Change::AlertRead { .. }
            | Change::Preferred { .. }
            | Change::Delivered(_) => {}
        }
        Ok(())
    }

    /// Changes every window that contains `occurred_at`.
    fn count(
        &mut self,
        occurred_at: Timestamp,
        now: Timestamp,
        mut change: impl FnMut(&mut Table) -> Result<(), Overflow>,
    ) -> Result<(), Overflow> {
        self.forget_what_passed(now);
        for tally in self.tallies.iter_mut().filter(|tally| tally.span.contains(occurred_at)) {
            change(&mut tally.table)?;
        }
        let minute = start_of_minute(occurred_at);
        if minute.micros() > now.micros() - RECENT_MICROS {
            match self.recent.iter_mut().find(|(start, _)| *start == minute) {
                Some((_, table)) => change(table)?,
                None => {
                    let mut table = Table::default();
                    change(&mut table)?;
                    // Tables are large, and most accounts have one minute.
                    self.recent.reserve_exact(1);
                    self.recent.push((minute, table));
                }
            }
        }
        Ok(())
    }

    /// Takes note of alerts, so that each is raised once.
    pub fn raise(&mut self, own: &SubjectId, raised: &[Raised]) {
        self.raised.extend(raised.iter().filter(|r| r.alert.subject == *own).cloned());
    }

    /// The billing period that is open now. Those before it that leave no entry pass in silence.
    fn arrive(&mut self, own: &SubjectId, now: Timestamp) -> &mut OpenPeriod {
        let (calendar, is_due) = (self.calendar(), self.due_at(own).is_some());
        let open = self.open.get_or_insert_with(|| OpenPeriod::new(now, &calendar));
        if open.end() <= now && !is_due {
            open.pass(now, &calendar);
        }
        open
    }

    fn forget_what_passed(&mut self, now: Timestamp) {
        self.tallies.retain(|tally| tally.span.end.is_none_or(|end| end > now));
        self.recent.retain(|(start, _)| start.micros() > now.micros() - RECENT_MICROS);
        self.raised.retain(|raised| raised.window_end.is_none_or(|end| end > now));
    }
}

fn start_of_minute(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.micros().div_euclid(MINUTE_MICROS) * MINUTE_MICROS)
}
