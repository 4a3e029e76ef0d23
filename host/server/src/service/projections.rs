//! Where a level's month leads: what it will have used, and which limits it will meet.

use rust_decimal::Decimal;
use tollgate_domain::{
    Amount, Calendar, DayUse, Past, Plan, Projection, Quota, QuotaName, Span, Timestamp, Window,
};
use tollgate_ledger::{SpanUsage, Table};

use super::statistics::percentage_of;

/// So many days that are over say what is to come: eight weeks, whatever the weekday.
pub const DAYS: usize = 56;

/// The name of the quota that is a level's budget.
const BUDGET: &str = "monthly_cost";

/// Where a month leads.
#[derive(Debug)]
pub struct Projections {
    pub cost: Projection,
    /// The budget; `None` where it is unlimited.
    pub cost_limit: Option<Amount>,
    /// In percent of the budget; 0 where it is unlimited.
    pub cost_percentage: Decimal,
    /// The limits on a month's use.
    pub limits: Vec<ProjectedLimit>,
    /// The limit that is met first, if any is before the month ends.
    pub first: Option<usize>,
}

/// Where a month leads on one of its limits.
#[derive(Debug)]
pub struct ProjectedLimit {
    pub quota: QuotaName,
    pub used: Amount,
    pub limit: Amount,
    pub projection: Projection,
    /// In percent of the limit.
    pub percentage: Decimal,
    pub reached: Option<Reached>,
}

/// When a limit is met.
#[derive(Clone, Copy, Debug)]
pub struct Reached {
    pub at: Timestamp,
    pub days_left: Decimal,
}

/// A month so far, and the days before now.
pub struct Month<'a> {
    pub span: Span,
    pub now: Timestamp,
    pub calendar: Calendar,
    pub used: &'a Table,
    pub days: &'a [SpanUsage],
}

impl Projections {
    pub fn new(month: &Month<'_>, plan: Option<&Plan>) -> Self {
        let cost = month.project(total_cost);
        let monthly = |quota: &&Quota| quota.window == Window::Month;
        let quotas = plan.into_iter().flat_map(|plan| &plan.quotas).filter(monthly);
        let budget = quotas.clone().find(|quota| quota.name.as_str() == BUDGET);
        let cost_limit = budget.and_then(|quota| quota.limit);
        let limits: Vec<_> = quotas.filter_map(|quota| month.limit(quota)).collect();
        let reached = |at: &usize| limits[*at].reached.map(|reached| reached.at);
        let first = (0..limits.len()).filter(|at| reached(at).is_some()).min_by_key(reached);
        Self {
            cost_percentage: percentage_of(cost.total, cost_limit),
            cost,
            cost_limit,
            limits,
            first,
        }
    }
}

impl Month<'_> {
    fn limit(&self, quota: &Quota) -> Option<ProjectedLimit> {
        let limit = quota.limit?;
        let projection = self.project(|table| table.read(quota));
        let reached =
            projection.reaches(limit).map(|at| Reached { at, days_left: self.days_to(at) });
        Some(ProjectedLimit {
            quota: quota.name.clone(),
            used: self.used.read(quota),
            limit,
            percentage: percentage_of(projection.total, Some(limit)),
            projection,
            reached,
        })
    }

    fn project(&self, read: impl Fn(&Table) -> Amount) -> Projection {
        let day = |day: &SpanUsage| DayUse { start: day.span.start, used: read(&day.table) };
        let days: Vec<_> = self.days.iter().map(day).collect();
        Projection::of(&Past {
            period: self.span,
            now: self.now,
            calendar: &self.calendar,
            used: read(self.used),
            days: &days,
        })
    }

    fn days_to(&self, at: Timestamp) -> Decimal {
        let seconds = Decimal::from(at.since(self.now).as_secs());
        seconds.checked_div(Decimal::from(24 * 3600)).unwrap_or_default()
    }
}

fn total_cost(table: &Table) -> Amount {
    let costs = table.cells().iter().map(|cell| cell.totals.cost.0);
    costs.fold(Amount::ZERO, Amount::saturating_add)
}
