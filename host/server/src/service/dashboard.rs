//! All that a dashboard shows, as of one moment.

use std::sync::Arc;

use tollgate_domain::{Amount, BillingCycle, Plan, QuotaState, Reading, SubjectId};
use tollgate_engine::Recommendation;
use tollgate_ledger::{Alerts, MonthUsage, Period, PeriodUsage};

use super::outlook::Standing;
use super::projections::{DAYS, Month, Projections};
use super::statistics::Statistics;
use super::usage::{alerts_of, plan, statistics};
use super::{Error, Service};

/// A dashboard lists no more alerts than these.
const ALERTS_MAX: usize = 20;

/// The months that it looks back on, that which runs among them.
const MONTHS: usize = 6;

pub struct Dashboard {
    pub current: Statistics,
    /// All time, or the period that was asked for.
    pub total: Statistics,
    pub months: Vec<MonthUsage>,
    pub projections: Projections,
    /// Those that nobody has read.
    pub alerts: Alerts,
    pub recommendations: Vec<Recommendation>,
}

impl Service {
    pub async fn dashboard(&self, subject: SubjectId, total: &Period) -> Result<Dashboard, Error> {
        let (set, clock) = (self.policy_set()?, self.now());
        let of = async |period| self.ledger.usage(&subject, period, set.plans(), clock).await;
        let (usage, total) = (of(&Period::Current).await?, of(total).await?);
        let plan = plan(&usage, &set);
        let calendar = usage.calendar;
        let spans = (usage.span, total.span);
        let (at, of) = (usage.at, subject.clone());
        let read = self.read(move |ledger| {
            Ok((
                ledger.days(&of, DAYS, &calendar, at)?,
                ledger.alerts(&of, true, 0, ALERTS_MAX)?,
                [alerts_of(ledger, &of, &spans.0)?, alerts_of(ledger, &of, &spans.1)?],
            ))
        });
        let (days, alerts, [of_current, of_total]) = read.await?;
        let month =
            Month { span: usage.span, now: usage.at, calendar, used: &usage.table, days: &days };
        let projections = Projections::new(&month, plan.as_deref());
        let readings = readings(&subject, &usage, plan.as_ref());
        let months = self.ledger.months(&subject, MONTHS, set.plans(), clock).await?;
        let billing_cycle = usage.subscription.as_ref().map(|own| own.billing_cycle);
        let standing = Standing {
            subject: &subject,
            readings,
            plan,
            billing_cycle: billing_cycle.unwrap_or(BillingCycle::Monthly),
            months: &months,
            at: usage.at,
        };
        let recommendations = self.advice(&set, standing).await?;
        Ok(Dashboard {
            months,
            alerts,
            total: statistics(total, of_total, &set)?,
            current: statistics(usage, of_current, &set)?,
            projections,
            recommendations,
        })
    }
}

/// Where a level stands on its limits, as alert policies read it.
fn readings(subject: &SubjectId, usage: &PeriodUsage, plan: Option<&Arc<Plan>>) -> Vec<Reading> {
    let Some(plan) = plan else { return vec![] };
    let reading = |quota: &QuotaState| {
        let limit = quota.limit.filter(|limit| *limit != Amount::ZERO)?;
        let terms = plan.quotas.iter().find(|terms| terms.name == quota.name)?;
        Some(Reading {
            subject: subject.clone(),
            plan: plan.id.clone(),
            quota: quota.name.clone(),
            meter: quota.meter.clone(),
            provider: match &terms.providers[..] {
                [one] => Some(one.clone()),
                _ => None,
            },
            window: quota.window,
            limit,
            before: quota.used,
            after: quota.used,
            raised: vec![],
        })
    };
    usage.quotas.iter().filter_map(reading).collect()
}
