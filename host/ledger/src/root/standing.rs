//! Where the levels beneath a root stand: questions that change nothing.

use std::sync::Arc;

use tollgate_domain::{
    Amount, BillingCycle, Calendar, Call, LevelState, Meter, Mode, PeriodId, Plan, PlanBook,
    PlanId, Quota, QuotaState, Reading, Snapshot, Span, Status, SubjectId, SubjectPath,
    Subscription, Timestamp, Usd,
};

use super::Root;
use crate::event::Report;

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
    pub(super) fn terms<'a>(
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

impl Terms {
    pub(super) fn quotas(&self) -> &[Quota] {
        self.plan.as_ref().map_or(&[], |plan| &plan.quotas)
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
