//! Where the levels beneath a root stand: questions that change nothing.

use std::sync::Arc;

use tollgate_domain::{
    Alert, Amount, BillingCycle, Calendar, Call, ExpectedCost, LevelState, Meter, Mode, ModelId,
    PeriodId, Plan, PlanBook, PlanId, ProviderId, Quota, QuotaState, Reading, Snapshot, Span,
    Status, SubjectId, SubjectPath, Subscription, Timestamp, Usage, Usd,
};

use super::{Level, Root};
use crate::account::Account;
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
        let tally = account.tally(quota.window, now);
        let tally = tally.filter(|tally| tally.span.contains(added.occurred_at));
        let (Some(limit), Some(tally), Some(plan)) = (quota.limit, tally, terms.plan_id()) else {
            return;
        };
        let before = tally.table.read(quota);
        let measure = |usage, cost| quota.meter.measure(usage, cost).unwrap_or_default();
        let replaced = added.before.map(|used| measure(&used.usage, used.cost));
        let rest = before.minus_or_zero(replaced.unwrap_or_default());
        let after = rest.saturating_add(measure(added.usage, added.cost));
        let bound = limit.plus_percent(quota.grace_percent);
        self.overage |= quota.mode == Mode::Hard && after > bound;
        if limit == Amount::ZERO {
            return;
        }
        self.spans.push(tally.span);
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
            before,
            after,
            raised: account.thresholds_raised(&quota.name, limit, tally.span.start),
        });
    }
}

impl Level {
    /// Where a quota stands whose window is added up.
    fn standing(&self, quota: &Quota, at: Timestamp) -> QuotaState {
        let tally = self.account.tally(quota.window, at);
        QuotaState {
            name: quota.name.clone(),
            meter: quota.meter.clone(),
            mode: quota.mode,
            window: quota.window,
            limit: quota.limit,
            grace_percent: quota.grace_percent,
            used: tally.map(|tally| tally.table.read(quota)).unwrap_or_default(),
            reserved: tally.map(|tally| self.reserved.read(quota, &tally.span)).unwrap_or_default(),
            requested: None,
            unpriced: false,
            resets_at: tally.and_then(|tally| tally.span.end),
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
