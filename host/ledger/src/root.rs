//! Everything beneath one root, in memory, under one lock.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tollgate_domain::{
    Amount, BillingCycle, Calendar, Call, EventKey, LevelState, Meter, Mode, PeriodId, Plan,
    PlanBook, PlanId, Quota, QuotaState, Reading, RootId, Snapshot, Span, Status, SubjectId,
    SubjectPath, Subscription, Timestamp, Usd, Window,
};

use crate::account::{Account, Tally};
use crate::event::{Event, Report};
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
    version: Version,
    account: Arc<Account>,
    reserved: Reserved,
    /// Units queued and not answered yet.
    under_way: usize,
}

/// Something that may be decided once only. Whoever finds it claimed waits for the outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    Reservation(ReservationId),
    Event(SubjectPath, EventKey),
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

/// The plan of a level, as it is in force.
struct Terms {
    subscription: Option<Subscription>,
    plan: Option<Arc<Plan>>,
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

    /// Whether nobody would miss it: nothing is under way, held, or was touched lately.
    pub fn is_idle(&self, since: Timestamp) -> bool {
        self.holds.is_empty()
            && self.claims.is_empty()
            && self.levels.values().all(|level| level.under_way == 0)
            && self.touched_at.is_none_or(|at| at < since)
    }

    /// Brings the levels of `path` to `now`: loads what is missing, lets holds expire, and adds
    /// up the windows that `book`'s quotas need.
    pub fn prepare<S: Store>(
        &mut self,
        store: &S,
        path: &SubjectPath,
        book: &PlanBook,
        now: Timestamp,
    ) -> Result<(), NotReady> {
        self.touched_at = Some(now);
        self.expire(now);
        for subject in path.levels() {
            self.load_level(store, &subject)?;
        }
        let terms: Vec<_> = self.terms(path, book).collect();
        for (subject, terms) in terms {
            let calendar = terms.calendar();
            self.add_up(store, &subject, Window::Month, &calendar, now)?;
            for quota in terms.quotas() {
                self.add_up(store, &subject, quota.window, &calendar, now)?;
            }
        }
        Ok(())
    }

    /// Where a call stands on every level. The levels are prepared.
    pub fn snapshot(
        &self,
        call: &Call,
        cost: Option<Usd>,
        book: &PlanBook,
        at: Timestamp,
    ) -> Snapshot {
        let touches = |quota: &&Quota| quota.covers(&call.provider, call.model.as_ref());
        let levels = self.terms(&call.subject, book).map(|(subject, terms)| {
            let quotas = terms.quotas().iter().filter(touches);
            let quotas = quotas.map(|quota| {
                let requested = quota.meter.measure(&call.usage, cost);
                self.standing(&subject, quota, requested, &terms, at)
            });
            let quotas = quotas.collect();
            LevelState {
                calendar: terms.calendar(),
                plan: terms.plan_id(),
                status: terms.subscription.as_ref().map_or(Status::Active, |s| s.status),
                terms: terms.plan,
                quotas,
                subject,
            }
        });
        Snapshot { at, levels: levels.collect() }
    }

    /// Where one level stands, on all its quotas.
    pub fn quotas(&self, subject: &SubjectId, book: &PlanBook, at: Timestamp) -> Vec<QuotaState> {
        let Some((_, terms)) = self.terms(subject, book).last() else { return vec![] };
        let standing = |quota| self.standing(subject, quota, None, &terms, at);
        terms.quotas().iter().map(standing).collect()
    }

    /// The plan in force for a level: its own, or else that of the nearest level above, or else
    /// the default.
    pub fn subscription(
        &self,
        subject: &SubjectId,
        book: &PlanBook,
        now: Timestamp,
    ) -> Option<Subscription> {
        let levels: Vec<_> = self.terms(subject, book).collect();
        levels.into_iter().rev().find_map(|(_, terms)| terms.in_force(now))
    }

    pub fn account(&self, subject: &SubjectId) -> Option<&Arc<Account>> {
        self.levels.get(subject).map(|level| &level.account)
    }

    pub fn is_claimed(&self, claim: &Claim) -> bool {
        self.claims.contains(claim)
    }

    /// Places a hold on every level of its path.
    pub fn reserve(&mut self, reservation: Arc<Reservation>) -> Result<Unit, Overflow> {
        self.hold(reservation.clone())?;
        let at = reservation.created_at;
        Ok(self.touch(at, Change::Reserved(reservation), None))
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
        let report = &event.report;
        let mut changed = Vec::new();
        for subject in report.subject.levels() {
            if let Some(level) = self.levels.get(&subject) {
                let mut account = Account::clone(&level.account);
                account.record(&subject, &event)?;
                changed.push((subject, Arc::new(account)));
            }
        }
        for (subject, account) in changed {
            if let Some(level) = self.levels.get_mut(&subject) {
                level.account = account;
            }
        }
        let at = event.recorded_at;
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

    /// Assigns a plan to one level.
    pub fn subscribe(
        &mut self,
        subject: SubjectId,
        subscription: Subscription,
        now: Timestamp,
    ) -> Unit {
        if let Some(level) = self.levels.get_mut(&subject) {
            let account = Arc::make_mut(&mut level.account);
            account.subscription = Some(subscription.clone());
        }
        self.touch(now, Change::Subscribed { subject, subscription }, None)
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

    /// What a report does to the quotas it counts in, in the windows that have not passed.
    pub fn effect(&self, report: &Report, book: &PlanBook, now: Timestamp) -> Effect {
        let calendars = self.terms(&report.subject, book).filter(|(_, terms)| terms.plan.is_some());
        let calendar = calendars.map(|(_, terms)| terms.calendar()).next().unwrap_or_default();
        let period = calendar.period(report.occurred_at);
        let mut effect = Effect { period, overage: false, readings: vec![], spans: vec![] };
        for (subject, terms) in self.terms(&report.subject, book) {
            let (Some(account), Some(plan)) = (self.account(&subject), terms.plan_id()) else {
                continue;
            };
            for quota in terms.quotas() {
                let span = quota.window.span(now, &terms.calendar());
                let covered = quota.covers(&report.provider, report.model.as_ref());
                let (Some(limit), true) =
                    (quota.limit, covered && span.contains(report.occurred_at))
                else {
                    continue;
                };
                let before =
                    account.tally(quota.window, &span).map_or(Amount::ZERO, |t| t.read(quota));
                let added = quota.meter.measure(&report.usage, report.cost).unwrap_or_default();
                let after = before.saturating_add(added);
                effect.overage |=
                    quota.mode == Mode::Hard && after > limit.plus_percent(quota.grace_percent);
                if limit > Amount::ZERO {
                    effect.spans.push(span);
                    effect.readings.push(Reading {
                        subject: subject.clone(),
                        plan: plan.clone(),
                        quota: quota.name.clone(),
                        meter: quota.meter.clone(),
                        provider: match &quota.providers[..] {
                            [one] => Some(one.clone()),
                            _ => None,
                        },
                        window: quota.window,
                        limit,
                        before,
                        after,
                        raised: account.thresholds_raised(&quota.name, limit, span.start),
                    });
                }
            }
        }
        effect
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
            AccountChange { subject, read_at, account: level.account.clone() }
        });
        let accounts = accounts.collect();
        Unit { at, accounts, change }
    }

    fn load_level<S: Store>(&mut self, store: &S, subject: &SubjectId) -> Result<(), StoreError> {
        let level = self.levels.entry(subject.clone()).or_default();
        // A level that was never touched has nothing under way that the store does not know.
        if level.version == 0
            && let Some((version, account)) = store.account(subject)?
        {
            (level.version, level.account) = (version, account);
        }
        Ok(())
    }

    /// Makes sure that a window is added up.
    fn add_up<S: Store>(
        &mut self,
        store: &S,
        subject: &SubjectId,
        window: Window,
        calendar: &Calendar,
        now: Timestamp,
    ) -> Result<(), NotReady> {
        let span = window.span(now, calendar);
        let Some(level) = self.levels.get_mut(subject) else { return Ok(()) };
        if level.account.tally(window, &span).is_some() {
            return Ok(());
        }
        let table = match window {
            Window::Minute => level.account.recent_minute(&span),
            _ if level.version == 0 => Default::default(),
            // The store knows only what is on disk.
            _ if level.under_way > 0 => return Err(NotReady::Wait),
            _ => store.used(subject, &span)?,
        };
        Arc::make_mut(&mut level.account).keep(Tally { window, span, table }, now);
        Ok(())
    }

    fn standing(
        &self,
        subject: &SubjectId,
        quota: &Quota,
        requested: Option<Amount>,
        terms: &Terms,
        at: Timestamp,
    ) -> QuotaState {
        let span = quota.window.span(at, &terms.calendar());
        let level = self.levels.get(subject);
        let used = level.and_then(|level| level.account.tally(quota.window, &span));
        QuotaState {
            name: quota.name.clone(),
            mode: quota.mode,
            window: quota.window,
            limit: quota.limit,
            grace_percent: quota.grace_percent,
            used: used.map_or(Amount::ZERO, |table| table.read(quota)),
            reserved: level.map_or(Amount::ZERO, |level| level.reserved.read(quota, &span)),
            requested,
            is_cost: quota.meter == Meter::Cost,
            resets_at: span.end,
        }
    }

    /// The terms of every level, the widest first. Where no level has a plan, the widest has
    /// the default one.
    fn terms<'a>(
        &'a self,
        path: &SubjectPath,
        book: &'a PlanBook,
    ) -> impl Iterator<Item = (SubjectId, Terms)> + 'a {
        let subscription = |subject: &SubjectId| self.account(subject)?.subscription.as_ref();
        let levels: Vec<_> = path.levels().collect();
        let mut default = match levels.iter().any(|level| subscription(level).is_some()) {
            true => None,
            false => book.default_plan().cloned(),
        };
        levels.into_iter().map(move |subject| {
            let own = subscription(&subject).cloned();
            let plan = match &own {
                Some(subscription) => book.get(&subscription.plan).cloned(),
                None => default.take(),
            };
            (subject, Terms { subscription: own, plan })
        })
    }
}

/// What a report does to the quotas it counts in.
pub struct Effect {
    /// The billing period that it belongs to: that of the widest level with a plan.
    pub period: PeriodId,
    /// Whether a hard limit, and its grace, stand passed.
    pub overage: bool,
    /// What the alert policies must know.
    pub readings: Vec<Reading>,
    /// The window of each reading.
    pub spans: Vec<Span>,
}

impl Terms {
    fn quotas(&self) -> &[Quota] {
        self.plan.as_ref().map_or(&[], |plan| &plan.quotas)
    }

    fn calendar(&self) -> Calendar {
        self.subscription.as_ref().map(|s| s.calendar).unwrap_or_default()
    }

    fn plan_id(&self) -> Option<PlanId> {
        let own = self.subscription.as_ref().map(|s| &s.plan);
        own.or(self.plan.as_ref().map(|plan| &plan.id)).cloned()
    }

    /// The subscription, or what the default plan amounts to.
    fn in_force(self, now: Timestamp) -> Option<Subscription> {
        self.subscription.or_else(|| {
            Some(Subscription {
                plan: self.plan?.id.clone(),
                status: Status::Active,
                billing_cycle: BillingCycle::Monthly,
                calendar: Calendar::default(),
                auto_renew: true,
                since: now,
            })
        })
    }
}
