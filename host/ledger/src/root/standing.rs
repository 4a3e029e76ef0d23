//! Where the levels beneath a root stand: questions that change nothing.

use std::sync::Arc;

use tollgate_domain::{
    Alert, Amount, BillingCycle, Calendar, Call, ExpectedCost, LevelState, Meter, Mode, ModelId,
    PeriodId, Plan, PlanBook, PlanId, ProviderId, Quota, QuotaState, Reading, SlidingSeconds,
    Snapshot, Span, Status, SubjectId, SubjectPath, Subscription, Timestamp, Usage, Usd, Window,
};

use super::{Level, Root};
use crate::account::{Account, Tally};
use crate::alert::RAISED_MAX;
use crate::correction::Use;
use crate::event::Raised;

/// What something used does to the quotas it counts in.
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

/// Something used, and of a correction what it takes the place of.
pub struct Added<'a> {
    pub subject: &'a SubjectPath,
    pub provider: &'a ProviderId,
    pub model: Option<&'a ModelId>,
    pub occurred_at: Timestamp,
    pub before: Option<&'a Use>,
    pub usage: &'a Usage,
    pub cost: Option<Usd>,
}

/// The plan of a level, as it is in force.
pub(super) struct Terms {
    subscription: Option<Subscription>,
    plan: Option<Arc<Plan>>,
}

impl Root {
    /// Where a call stands on every level. The levels are prepared.
    pub fn snapshot(
        &self,
        call: &Call,
        cost: ExpectedCost,
        book: &PlanBook,
        at: Timestamp,
    ) -> Snapshot {
        let touches = |quota: &&Quota| quota.covers(&call.provider, call.model.as_ref());
        let levels = self.terms(&call.subject, book).map(|(subject, level, terms)| {
            let quotas = terms.quotas().iter().filter(touches);
            let quotas = quotas.map(|quota| {
                let requested = quota.meter.measure(&call.usage, cost.known());
                let unpriced = quota.meter == Meter::Cost && cost == ExpectedCost::Unpriced;
                QuotaState { requested, unpriced, ..level.standing(quota, at) }
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
        let Some((_, level, terms)) = self.terms(subject, book).last() else { return vec![] };
        terms.quotas().iter().map(|quota| level.standing(quota, at)).collect()
    }

    /// When the call of a refused snapshot fits the sliding windows that refuse it, if nothing else
    /// is used until then; `None` where there are none, or where it never fits.
    pub fn fits_at(&self, snapshot: &Snapshot) -> Option<Timestamp> {
        let mut latest = None;
        for state in &snapshot.levels {
            let plan = state.terms.as_ref();
            for standing in state.quotas.iter().filter(|quota| !quota.fits_without(Amount::ZERO)) {
                let of_name = |quota: &&Quota| quota.name == standing.name;
                let quota = plan.and_then(|plan| plan.quotas.iter().find(of_name));
                if let (Window::Sliding(seconds), Some(quota)) = (standing.window, quota) {
                    let level = self.levels.get(&state.subject)?;
                    latest =
                        latest.max(Some(level.fits_at(quota, seconds, standing, snapshot.at)?));
                }
            }
        }
        latest
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
        levels.into_iter().rev().find_map(|(_, _, terms)| terms.in_force(now))
    }

    /// What something used does to the quotas it counts in, in the windows that have not passed.
    pub fn effect(&self, added: &Added<'_>, book: &PlanBook, now: Timestamp) -> Effect {
        let levels: Vec<_> = self.terms(added.subject, book).collect();
        let calendar = levels.iter().find(|(_, _, terms)| terms.plan.is_some());
        let calendar = calendar.map_or_else(Calendar::default, |(_, _, terms)| terms.calendar());
        let period = calendar.period(added.occurred_at);
        let mut effect = Effect { period, overage: false, readings: vec![], spans: vec![] };
        for (subject, level, terms) in &levels {
            for quota in terms.quotas() {
                if quota.covers(added.provider, added.model) {
                    effect.add(added, subject, &level.account, quota, terms, now);
                }
            }
        }
        effect
    }

    /// Where one level stands on the limits of its own plan, nothing used: what the alert policies
    /// must know of a plan that it has from now on. Its windows are added up.
    pub fn stand(&self, subject: &SubjectId, book: &PlanBook, now: Timestamp) -> Effect {
        let own = self.terms(subject, book).last().filter(|(level, ..)| level == subject);
        let calendar = own.as_ref().map_or_else(Calendar::default, |(.., terms)| terms.calendar());
        let mut effect = Effect {
            period: calendar.period(now),
            overage: false,
            readings: vec![],
            spans: vec![],
        };
        let Some((_, level, terms)) = own else { return effect };
        for quota in terms.quotas() {
            let (Some(limit), Some(plan)) = (quota.limit, terms.plan_id()) else { continue };
            if let Some(counted) = Counted::by(&level.account, quota, limit, now) {
                let used = counted.used;
                effect.read(subject, plan, quota, limit, counted, used);
            }
        }
        effect
    }

    /// The terms of every loaded level, the widest first. Where no level has a plan, the widest
    /// has the default one.
    pub(super) fn terms<'a>(
        &'a self,
        path: &SubjectPath,
        book: &'a PlanBook,
    ) -> impl Iterator<Item = (SubjectId, &'a Level, Terms)> {
        let subscription = |subject: &SubjectId| self.account(subject)?.subscription.as_ref();
        let levels: Vec<_> = path.levels().collect();
        let mut default = match levels.iter().any(|level| subscription(level).is_some()) {
            true => None,
            false => book.default_plan().cloned(),
        };
        levels.into_iter().filter_map(move |subject| {
            let level = self.levels.get(&subject)?;
            let own = level.account.subscription.clone();
            let plan = match &own {
                Some(subscription) => book.get(&subscription.plan).cloned(),
                None => default.take(),
            };
            Some((subject, level, Terms { subscription: own, plan }))
        })
    }
}

impl Effect {
    /// Asks what is to be raised. A policy says what is due; that each is raised only once is the
    /// ledger's part.
    pub fn raise(
        &self,
        now: Timestamp,
        alerts: &mut impl FnMut(&[Reading]) -> Vec<Alert>,
    ) -> Vec<Raised> {
        let mut raised: Vec<Raised> = vec![];
        let due = if self.readings.is_empty() { vec![] } else { alerts(&self.readings) };
        for alert in due {
            let same = |r: &Reading| r.subject == alert.subject && r.quota == alert.quota;
            let Some(at) = self.readings.iter().position(same) else { continue };
            let again = |raised: &Raised| {
                let other = &raised.alert;
                (&other.subject, &other.quota, other.threshold)
                    == (&alert.subject, &alert.quota, alert.threshold)
            };
            if self.readings[at].raised.contains(&alert.threshold) || raised.iter().any(again) {
                continue;
            }
            if raised.len() == RAISED_MAX {
                // It is still due when something else is used.
                break;
            }
            let (window_start, window_end) = (self.spans[at].start, self.spans[at].end);
            raised.push(Raised { alert, window_start, window_end, raised_at: now });
        }
        raised
    }

    /// Adds what it does to one quota.
    fn add(
        &mut self,
        added: &Added<'_>,
        subject: &SubjectId,
        account: &Account,
        quota: &Quota,
        terms: &Terms,
        now: Timestamp,
    ) {
        let (Some(limit), Some(plan)) = (quota.limit, terms.plan_id()) else { return };
        let Some(counted) = Counted::by(account, quota, limit, now) else { return };
        if !counted.takes(added.occurred_at) {
            return;
        }
        let before = counted.used;
        let measure = |usage, cost| quota.meter.measure(usage, cost).unwrap_or_default();
        let replaced = added.before.map(|used| measure(&used.usage, used.cost));
        let rest = before.minus_or_zero(replaced.unwrap_or_default());
        let after = rest.saturating_add(measure(added.usage, added.cost));
        let bound = limit.plus_percent(quota.grace_percent);
        self.overage |= quota.mode == Mode::Hard && after > bound;
        self.read(subject, plan, quota, limit, counted, after);
    }

    /// Adds what the alert policies must know of one quota.
    fn read(
        &mut self,
        subject: &SubjectId,
        plan: PlanId,
        quota: &Quota,
        limit: Amount,
        counted: Counted,
        after: Amount,
    ) {
        if limit == Amount::ZERO {
            return;
        }
        self.spans.push(counted.span);
        self.readings.push(Reading {
            subject: subject.clone(),
            plan,
            quota: quota.name.clone(),
            meter: quota.meter.clone(),
            provider: match &quota.providers[..] {
                [one] => Some(one.clone()),
                _ => None,
            },
            window: quota.window,
            limit,
            before: counted.used,
            after,
            raised: counted.raised,
        });
    }
}

/// What a quota counts at an instant.
struct Counted {
    used: Amount,
    /// Uses in it add to that.
    takes: Span,
    /// In which each alert is raised once.
    span: Span,
    /// The thresholds that are raised in it already.
    raised: Vec<u32>,
}

impl Counted {
    fn by(account: &Account, quota: &Quota, limit: Amount, now: Timestamp) -> Option<Self> {
        let Window::Sliding(seconds) = quota.window else {
            let Tally { span, table, .. } = account.tally(quota.window, now)?;
            let raised = account.thresholds_raised(&quota.name, limit, span.start);
            return Some(Self { used: table.read(quota), takes: *span, span: *span, raised });
        };
        let tally = account.sliding(quota, seconds)?;
        Some(Self {
            used: tally.used(now),
            takes: Span { start: seconds.span(now).start, end: None },
            span: Span { start: now, end: Some(now.plus(seconds.duration())) },
            raised: account.thresholds_raised_lately(&quota.name, limit, seconds, now),
        })
    }

    fn takes(&self, at: Timestamp) -> bool {
        self.takes.contains(at)
    }
}

impl Level {
    /// Where a quota stands whose window is added up.
    fn standing(&self, quota: &Quota, at: Timestamp) -> QuotaState {
        let (used, reserved, resets_at) = match quota.window {
            Window::Sliding(seconds) => self.sliding(quota, seconds, at),
            window => match self.account.tally(window, at) {
                Some(Tally { span, table, .. }) => {
                    (table.read(quota), self.reserved.read(quota, span.start), span.end)
                }
                None => Default::default(),
            },
        };
        QuotaState {
            name: quota.name.clone(),
            meter: quota.meter.clone(),
            mode: quota.mode,
            window: quota.window,
            limit: quota.limit,
            grace_percent: quota.grace_percent,
            used,
            reserved,
            requested: None,
            unpriced: false,
            resets_at,
        }
    }

    /// What is used and reserved of a quota over a sliding window, and when the oldest of it
    /// leaves: a hold as long after its creation as the use that it stands for.
    fn sliding(
        &self,
        quota: &Quota,
        seconds: SlidingSeconds,
        at: Timestamp,
    ) -> (Amount, Amount, Option<Timestamp>) {
        let tally = self.account.sliding(quota, seconds);
        let used = tally.map(|tally| tally.used(at)).unwrap_or_default();
        let start = seconds.span(at).start;
        let reserved = self.reserved.read(quota, start);
        let oldest_use = tally.and_then(|tally| tally.leaving(at).next()).map(|(leaves, _)| leaves);
        let oldest_hold = match reserved {
            Amount::ZERO => None,
            _ => self.reserved.oldest(quota, start),
        };
        let oldest_hold = oldest_hold.map(|created| created.plus(seconds.duration()));
        let oldest = oldest_use.into_iter().chain(oldest_hold).min();
        (used, reserved, oldest.or(Some(at.plus(seconds.duration()))))
    }

    /// When enough has left a sliding window for a call to fit that does not.
    fn fits_at(
        &self,
        quota: &Quota,
        seconds: SlidingSeconds,
        standing: &QuotaState,
        at: Timestamp,
    ) -> Option<Timestamp> {
        let start = seconds.span(at).start;
        let holds = self.reserved.by_creation(quota, start);
        let mut holds = holds.map(|(end, held)| (end.plus(seconds.duration()), held)).peekable();
        let tally = self.account.sliding(quota, seconds);
        let mut uses = tally.into_iter().flat_map(|tally| tally.leaving(at)).peekable();
        let mut gone = Amount::ZERO;
        loop {
            let hold_is_next = match (holds.peek(), uses.peek()) {
                (Some((hold, _)), Some((one, _))) => hold < one,
                (hold, _) => hold.is_some(),
            };
            let next = if hold_is_next { holds.next() } else { uses.next() };
            let (leaves_at, amount) = next?;
            gone = gone.saturating_add(amount);
            if standing.fits_without(gone) {
                return Some(leaves_at);
            }
        }
    }
}

impl Terms {
    pub(super) fn quotas(&self) -> &[Quota] {
        self.plan.as_ref().map_or(&[], |plan| &plan.quotas)
    }

    pub(super) fn plan(&self) -> Option<&Plan> {
        self.plan.as_deref()
    }

    pub(super) fn calendar(&self) -> Calendar {
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
