//! Everything beneath one root, in memory, under one lock.

mod added_up;
mod standing;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tollgate_domain::{
    EventKey, PlanBook, RootId, Snapshot, SubjectId, SubjectPath, Subscription, Timestamp, Window,
};

pub use self::standing::Added;
use crate::account::Account;
use crate::alert::AlertId;
use crate::correction::Correction;
use crate::event::{Event, Raised};
use crate::once::Turn;
use crate::reservation::{Reservation, ReservationId};
use crate::reserved::Reserved;
use crate::store::{AccountChange, Change, Store, StoreError, Unit, Version};
use crate::totals::Overflow;

/// The levels beneath a root that were touched lately, with the holds on them.
///
/// It runs ahead of the store by the units that are queued: a unit that the store refuses makes
/// it stale, and it is dropped.
#[derive(Default)]
pub struct Root {
    levels: HashMap<SubjectId, Level>,
    holds: HashMap<ReservationId, Arc<Reservation>>,
    expiries: BTreeSet<(Timestamp, ReservationId)>,
    /// What units under way are about to decide.
    claims: HashSet<Claim>,
    stale: bool,
    touched_at: Option<Timestamp>,
}

#[derive(Default)]
struct Level {
    /// Whether the store was asked for it.
    loaded: bool,
    version: Version,
    account: Arc<Account>,
    reserved: Reserved,
    /// When the store knows its billing period to be due.
    due_at: Option<Timestamp>,
    /// Units queued and not answered yet.
    under_way: usize,
}

/// Something that may be decided once only. Whoever finds it claimed waits for the outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    Reservation(ReservationId),
    Event(SubjectPath, EventKey),
    /// One correction at a time is decided for each subject.
    Correction(SubjectPath),
    /// The end of a level's billing period.
    Closing(SubjectId, Timestamp),
    /// That somebody reads an alert.
    Alert(AlertId),
}

/// Why something cannot be decided right now.
#[derive(Debug)]
pub enum NotReady {
    /// What is under way must be on disk first.
    Wait,
    Store(StoreError),
}

impl From<StoreError> for NotReady {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Root {
    pub fn load<S: Store>(store: &S, root: &RootId) -> Result<Self, StoreError> {
        let mut loaded = Self::default();
        // The widest level first, since every hold touches it: a hold that another host places
        // after this read is either seen below, or makes what is decided here conflict.
        loaded.load_level(store, root)?;
        for hold in store.open_reservations(root)? {
            // What the store holds was within its limits, and the sums with it.
            let _ = loaded.hold(hold);
        }
        Ok(loaded)
    }

    /// Whether it must be loaded anew.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// Whether nobody would miss it: nothing is under way, or held and not expired by now; and if
    /// that is asked, nothing was touched since.
    pub fn is_idle(&self, now: Timestamp, since: Option<Timestamp>) -> bool {
        self.expiries.last().is_none_or(|(at, _)| *at <= now)
            && self.claims.is_empty()
            && self.levels.values().all(|level| level.under_way == 0)
            && since.is_none_or(|since| self.touched_at.is_none_or(|at| at < since))
    }

    /// Brings the levels of `path` to `now`: loads what is missing, lets holds expire, and closes
    /// the billing periods that have ended. What closes them must be committed.
    pub fn arrive<S: Store>(
        &mut self,
        store: &S,
        path: &SubjectPath,
        book: &PlanBook,
        now: Timestamp,
    ) -> Result<Vec<(Unit, Claim)>, StoreError> {
        self.expire(now);
        let mut closing = Vec::new();
        for subject in path.levels() {
            self.load_level(store, &subject)?;
            while let Some(closed) = self.close_period(&subject, book, now) {
                closing.push(closed);
            }
        }
        Ok(closing)
    }

    /// Adds up the windows that `book`'s quotas need on the levels of `path`, which have arrived.
    pub fn prepare<S: Store>(
        &mut self,
        store: &S,
        path: &SubjectPath,
        book: &PlanBook,
        now: Timestamp,
    ) -> Result<(), NotReady> {
        self.touched_at = Some(now);
        let terms: Vec<_> =
            self.terms(path, book).map(|(subject, _, terms)| (subject, terms)).collect();
        for (subject, terms) in terms {
            let calendar = terms.calendar();
            self.add_up(store, &subject, Window::Month, &calendar, now)?;
            for quota in terms.quotas() {
                match quota.window {
                    Window::Sliding(seconds) => {
                        self.add_up_sliding(store, &subject, quota, seconds, now)?;
                    }
                    window => self.add_up(store, &subject, window, &calendar, now)?,
                }
            }
        }
        Ok(())
    }

    pub fn account(&self, subject: &SubjectId) -> Option<&Arc<Account>> {
        self.levels.get(subject).map(|level| &level.account)
    }

    pub fn is_claimed(&self, claim: &Claim) -> bool {
        self.claims.contains(claim)
    }

    /// Whether billing periods of this level are being closed.
    pub fn is_closing(&self, subject: &SubjectId) -> bool {
        let of = |claim: &Claim| matches!(claim, Claim::Closing(own, _) if own == subject);
        self.claims.iter().any(of)
    }

    /// Places a hold on every level of its path.
    pub fn reserve(
        &mut self,
        reservation: Arc<Reservation>,
        snapshot: Arc<Snapshot>,
    ) -> Result<Unit, Overflow> {
        self.hold(reservation.clone())?;
        let at = reservation.created_at;
        Ok(self.touch(at, Change::Reserved { reservation, snapshot }, None))
    }

    /// Ends a hold unused.
    pub fn release(&mut self, reservation: Arc<Reservation>, now: Timestamp) -> Unit {
        self.unhold(reservation.id);
        let claim = Claim::Reservation(reservation.id);
        self.touch(now, Change::Released(reservation), Some(claim))
    }

    /// Records an event on every level of its path, and ends the hold that it settles.
    pub fn record(
        &mut self,
        event: Arc<Event>,
        settles: Option<Arc<Reservation>>,
    ) -> Result<Unit, Overflow> {
        let (report, at) = (&event.report, event.recorded_at);
        self.change(&report.subject, |subject, account| account.record(subject, &event))?;
        let (change, claim) = match settles {
            Some(reservation) => {
                self.unhold(reservation.id);
                let claim = Claim::Reservation(reservation.id);
                let fingerprint = report.fingerprint;
                (Change::Settled { reservation, fingerprint, event }, Some(claim))
            }
            None => {
                let claim = report.key.clone().map(|key| Claim::Event(report.subject.clone(), key));
                (Change::Recorded(event), claim)
            }
        };
        Ok(self.touch(at, change, claim))
    }

    /// Counts otherwise what an event counts, on every level of its path.
    pub fn correct(&mut self, correction: Arc<Correction>) -> Result<Unit, Overflow> {
        let (path, at) = (&correction.subject, correction.recorded_at);
        self.change(path, |subject, account| account.correct(subject, &correction))?;
        let claim = Claim::Correction(correction.subject.clone());
        Ok(self.touch(at, Change::Corrected(correction), Some(claim)))
    }

    /// Notes that somebody has read an alert of a level: no account changes, so that it conflicts
    /// with nothing.
    pub fn read(&mut self, subject: SubjectId, alert: AlertId, now: Timestamp) -> Unit {
        let change = Change::AlertRead { subject, alert, at: now };
        self.touch(now, change, Some(Claim::Alert(alert)))
    }

    /// Gives one level a plan that is not committed yet, so that its windows can be added up and
    /// its limits read. Returns the account as it was.
    pub fn adopt(
        &mut self,
        subject: &SubjectId,
        subscription: &Subscription,
        now: Timestamp,
    ) -> Option<Arc<Account>> {
        let level = self.levels.get_mut(subject)?;
        let before = level.account.clone();
        Arc::make_mut(&mut level.account).subscribe(subscription.clone(), subject, now);
        Some(before)
    }

    /// Takes back what was adopted.
    pub fn abandon(&mut self, subject: &SubjectId, before: Option<Arc<Account>>) {
        if let (Some(level), Some(before)) = (self.levels.get_mut(subject), before) {
            level.account = before;
        }
    }

    /// Assigns the plan that was adopted, with the alerts that it raises.
    pub fn subscribe(
        &mut self,
        subject: SubjectId,
        subscription: Subscription,
        raised: Vec<Raised>,
        now: Timestamp,
    ) -> Unit {
        if let Some(level) = self.levels.get_mut(&subject) {
            Arc::make_mut(&mut level.account).raise(&subject, &raised);
        }
        let raised = raised.into_boxed_slice();
        self.touch(now, Change::Subscribed { subject, subscription, raised }, None)
    }

    /// Takes note that a unit was committed, or that it never will be.
    pub fn finish(&mut self, unit: &Unit, claim: Option<&Claim>, committed: bool) {
        self.stale |= !committed;
        if let Some(claim) = claim {
            self.claims.remove(claim);
        }
        for change in &unit.accounts {
            if let Some(level) = self.levels.get_mut(&change.subject) {
                level.under_way -= 1;
            }
        }
    }

    /// Closes a level's billing period if it has ended: the entry is the change.
    fn close_period(
        &mut self,
        subject: &SubjectId,
        book: &PlanBook,
        now: Timestamp,
    ) -> Option<(Unit, Claim)> {
        let due = |level: &Level| level.account.due_at(subject).is_some_and(|at| at <= now);
        self.levels.get(subject).filter(|level| due(level))?;
        let (_, level, terms) = self.terms(subject, book).last()?;
        let entry = Arc::new(level.account.entry(terms.plan())?);
        Arc::make_mut(&mut self.levels.get_mut(subject)?.account).close();
        let claim = Claim::Closing(subject.clone(), entry.end);
        let change = Change::Closed { subject: subject.clone(), entry };
        Some((self.touch(now, change, Some(claim.clone())), claim))
    }

    /// Changes the accounts of all levels of a path, or none.
    fn change(
        &mut self,
        path: &SubjectPath,
        change: impl Fn(&SubjectId, &mut Account) -> Result<(), Overflow>,
    ) -> Result<(), Overflow> {
        let mut changed = Vec::new();
        for subject in path.levels() {
            if let Some(level) = self.levels.get(&subject) {
                let mut account = Account::clone(&level.account);
                change(&subject, &mut account)?;
                changed.push((subject, Arc::new(account)));
            }
        }
        for (subject, account) in changed {
            if let Some(level) = self.levels.get_mut(&subject) {
                level.account = account;
            }
        }
        Ok(())
    }

    fn hold(&mut self, reservation: Arc<Reservation>) -> Result<(), Overflow> {
        for (done, subject) in reservation.call.subject.levels().enumerate() {
            let level = self.levels.entry(subject).or_default();
            if let Err(overflow) = level.reserved.add(&reservation) {
                for subject in reservation.call.subject.levels().take(done) {
                    self.levels.entry(subject).or_default().reserved.subtract(&reservation);
                }
                return Err(overflow);
            }
        }
        self.expiries.insert((reservation.expires_at, reservation.id));
        self.holds.insert(reservation.id, reservation);
        Ok(())
    }

    fn unhold(&mut self, id: ReservationId) {
        let Some(reservation) = self.holds.remove(&id) else { return };
        self.expiries.remove(&(reservation.expires_at, id));
        for subject in reservation.call.subject.levels() {
            if let Some(level) = self.levels.get_mut(&subject) {
                level.reserved.subtract(&reservation);
            }
        }
    }

    fn expire(&mut self, now: Timestamp) {
        while let Some((_, id)) = self.expiries.first().filter(|(at, _)| *at <= now).copied() {
            self.unhold(id);
        }
    }

    /// Counts one more unit on every level that `change` touches.
    fn touch(&mut self, at: Timestamp, change: Change, claim: Option<Claim>) -> Unit {
        self.claims.extend(claim);
        let accounts = change.levels().into_iter().map(|subject| {
            let level = self.levels.entry(subject.clone()).or_default();
            let read_at = level.version;
            level.version += 1;
            level.under_way += 1;
            let due_at = level.account.due_at(&subject).filter(|at| level.due_at != Some(*at));
            level.due_at = due_at.or(level.due_at);
            AccountChange { subject, read_at, account: level.account.clone(), due_at }
        });
        let accounts = accounts.collect();
        Unit { at, accounts, change, turn: Turn::default() }
    }

    fn load_level<S: Store>(&mut self, store: &S, subject: &SubjectId) -> Result<(), StoreError> {
        if self.levels.get(subject).is_some_and(|level| level.loaded) {
            return Ok(());
        }
        let level = self.levels.entry(subject.clone()).or_default();
        if let Some((version, account)) = store.account(subject)? {
            level.due_at = account.due_at(subject);
            (level.version, level.account) = (version, account);
        }
        level.loaded = true;
        Ok(())
    }
}
