//! Billing: what a level's open period has come to, and the entry that it becomes when it closes.
//!
//! A period ends by the clock. What occurred in it and is recorded later is not added to an entry
//! that is closed already: its cost is an adjustment in the period that is open then.

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    BillingCycle, Calendar, PeriodId, Plan, PlanId, Span, Status, Subscription, Timestamp, Usd,
    Window,
};

use crate::totals::{Overflow, Totals};

/// Every time zone's days begin with a quarter of an hour.
const QUARTER_MICROS: i64 = 15 * 60 * 1_000_000;

/// A closed billing period. It never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingEntry {
    pub period: PeriodId,
    pub start: Timestamp,
    /// Where it ended, and was closed: by the clock, whenever that was noticed.
    pub end: Timestamp,
    /// The plan in force at the end; `None` where there was none.
    pub plan: Option<PlanId>,
    /// As the plan calls itself.
    pub plan_name: Option<String>,
    pub subscription_fee: Usd,
    /// What occurred in the period and was recorded in it, exactly.
    pub usage_cost: Usd,
    /// What was recorded in it and had occurred in periods closed before, exactly; corrections
    /// may make it less than nothing.
    pub adjustments: Usd,
    pub calls: u64,
    pub tokens: u64,
}

/// The lines of an invoice, in whole cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invoice {
    pub subscription_fee: Usd,
    pub usage_cost: Usd,
    pub adjustments: Usd,
    pub total: Usd,
}

impl BillingEntry {
    /// The one place where money is rounded: each line half to even, and the total adds up the
    /// lines. `None` where that is more than can be counted.
    pub fn invoice(&self) -> Option<Invoice> {
        let subscription_fee = self.subscription_fee.to_cents()?;
        let usage_cost = self.usage_cost.to_cents()?;
        let adjustments = self.adjustments.to_cents()?;
        let total = subscription_fee.checked_add(usage_cost)?.checked_add(adjustments)?;
        Some(Invoice { subscription_fee, usage_cost, adjustments, total })
    }
}

/// What an open period has come to so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPeriod {
    start: Timestamp,
    end: Timestamp,
    used: Sum,
    adjustments: Usd,
    /// What occurs in quarter-hours to come, by clocks that run ahead: at most two of them.
    ahead: Vec<(Timestamp, Sum)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sum {
    calls: u64,
    tokens: u64,
    cost: Usd,
}

impl OpenPeriod {
    /// The month that contains `at`.
    pub fn new(at: Timestamp, calendar: &Calendar) -> Self {
        let Span { start, end } = Window::Month.span(at, calendar);
        let (used, adjustments) = (Sum::default(), Usd::ZERO);
        // A month always ends.
        Self { start, end: end.unwrap_or(start), used, adjustments, ahead: vec![] }
    }

    pub fn end(&self) -> Timestamp {
        self.end
    }

    /// Whether there is something to pay for, if nobody subscribed.
    pub fn is_used(&self) -> bool {
        self.used != Sum::default() || self.adjustments != Usd::ZERO || !self.ahead.is_empty()
    }

    /// Ends with the month that contains `now` in another calendar. Where it began stays, so that
    /// nothing is billed twice or not at all.
    pub fn follow(&mut self, calendar: &Calendar, now: Timestamp) {
        self.end = Window::Month.span(now, calendar).end.unwrap_or(self.end);
    }

    /// Counts that of something which occurred then there was `before` what is `after` now.
    pub fn count(
        &mut self,
        occurred_at: Timestamp,
        before: Option<&Totals>,
        after: &Totals,
        now: Timestamp,
    ) -> Result<(), Overflow> {
        self.arrive(now)?;
        let (before, after) = (before.map(Sum::of).unwrap_or_default(), Sum::of(after));
        let quarter = start_of_quarter(occurred_at);
        if occurred_at < self.start {
            let rest = self.adjustments.checked_sub(before.cost).ok_or(Overflow)?;
            self.adjustments = rest.checked_add(after.cost).ok_or(Overflow)?;
        } else if quarter <= now {
            self.used = self.used.plus(after)?.minus(before)?;
        } else {
            match self.ahead.iter_mut().find(|(start, _)| *start == quarter) {
                Some((_, sum)) => *sum = sum.plus(after)?.minus(before)?,
                None => self.ahead.push((quarter, after)),
            }
        }
        Ok(())
    }

    /// The entry it becomes.
    pub fn entry(&self, subscription: Option<&Subscription>, plan: Option<&Plan>) -> BillingEntry {
        let calendar = subscription.map(|own| own.calendar).unwrap_or_default();
        let Sum { calls, tokens, cost } = self.used_until_end();
        BillingEntry {
            period: calendar.period(Timestamp::from_micros(self.end.micros() - 1)),
            start: self.start,
            end: self.end,
            plan: subscription.map(|own| own.plan.clone()).or(plan.map(|plan| plan.id.clone())),
            plan_name: plan.map(|plan| plan.name.clone()),
            subscription_fee: plan.map_or(Usd::ZERO, |plan| self.fee(subscription, plan)),
            usage_cost: cost,
            adjustments: self.adjustments,
            calls,
            tokens,
        }
    }

    /// The period after this one.
    pub fn next(&self, calendar: &Calendar) -> Self {
        let mut next = Self { ahead: self.ahead.clone(), ..Self::new(self.end, calendar) };
        next.start = self.end;
        next.ahead.retain(|(quarter, _)| *quarter >= next.start);
        next
    }

    /// Becomes the month that contains `now`. What lies between leaves no entry.
    pub fn pass(&mut self, now: Timestamp, calendar: &Calendar) {
        let mut ahead = std::mem::take(&mut self.ahead);
        *self = Self::new(now, calendar);
        ahead.retain(|(quarter, _)| *quarter >= self.start);
        self.ahead = ahead;
    }

    /// Takes in what was ahead and has come.
    fn arrive(&mut self, now: Timestamp) -> Result<(), Overflow> {
        for (quarter, sum) in std::mem::take(&mut self.ahead) {
            if quarter <= now && quarter < self.end {
                self.used = self.used.plus(sum)?;
            } else {
                self.ahead.push((quarter, sum));
            }
        }
        Ok(())
    }

    fn used_until_end(&self) -> Sum {
        let ahead = self.ahead.iter().filter(|(quarter, _)| *quarter < self.end);
        ahead.fold(self.used, |sum, (_, more)| sum.plus(*more).unwrap_or(sum))
    }

    /// A month's price every month, a year's in the month of the subscription's anniversary.
    fn fee(&self, subscription: Option<&Subscription>, plan: &Plan) -> Usd {
        let Some(own) = subscription else { return plan.price_monthly };
        let is_due = |at: Timestamp| (self.start..self.end).contains(&at);
        match (own.status, own.billing_cycle) {
            (Status::Suspended | Status::Cancelled, _) => Usd::ZERO,
            (Status::Active, BillingCycle::Monthly) => plan.price_monthly,
            (Status::Active, BillingCycle::Yearly)
                if own.calendar.anniversaries(own.since, self.start, self.end).any(is_due) =>
            {
                plan.price_yearly
            }
            (Status::Active, BillingCycle::Yearly) => Usd::ZERO,
        }
    }
}

impl Sum {
    fn of(totals: &Totals) -> Self {
        Self { calls: totals.quantity("calls"), tokens: totals.tokens(), cost: totals.cost }
    }

    fn plus(self, other: Self) -> Result<Self, Overflow> {
        Ok(Self {
            calls: self.calls.checked_add(other.calls).ok_or(Overflow)?,
            tokens: self.tokens.checked_add(other.tokens).ok_or(Overflow)?,
            cost: self.cost.checked_add(other.cost).ok_or(Overflow)?,
        })
    }

    fn minus(self, other: Self) -> Result<Self, Overflow> {
        Ok(Self {
            calls: self.calls.checked_sub(other.calls).ok_or(Overflow)?,
            tokens: self.tokens.checked_sub(other.tokens).ok_or(Overflow)?,
            cost: self.cost.checked_sub(other.cost).ok_or(Overflow)?,
        })
    }
}

fn start_of_quarter(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.micros().div_euclid(QUARTER_MICROS) * QUARTER_MICROS)
}
