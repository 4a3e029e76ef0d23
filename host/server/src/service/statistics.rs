//! Usage, as a dashboard shows it. Totals and money are exact; averages and percentages are
//! rounded, for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;
use tollgate_domain::{
    Amount, PeriodId, Plan, ProviderId, QuotaName, QuotaState, Timestamp, Window,
};
use tollgate_ledger::{Alerted, Overflow, PeriodUsage, Table, Totals};

/// What one level used in one billing period.
#[derive(Debug)]
pub struct Statistics {
    /// `None` for all time.
    pub period: Option<PeriodId>,
    pub status: UsageStatus,
    pub total: Totals,
    pub by_provider: BTreeMap<ProviderId, Totals>,
    /// In seconds, over the events that state one.
    pub avg_response_time: Decimal,
    /// In percent of all events.
    pub error_rate: Decimal,
    /// How much of each quota is used, in percent.
    pub percentages: Vec<(QuotaName, Decimal)>,
    /// The plan in force, as the plan book has it.
    pub plan: Option<Arc<Plan>>,
    /// The latest alerts of the period, the newest first.
    pub alerts: Vec<Alerted>,
    pub at: Timestamp,
}

/// How near a level is to its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageStatus {
    Active,
    /// At 80 % of a limit or above.
    Warning,
    /// At 100 % of a limit or above.
    LimitReached,
}

impl UsageStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Warning => "warning",
            Self::LimitReached => "limit_reached",
        }
    }

    fn of(highest_percentage: Decimal) -> Self {
        match highest_percentage {
            percentage if percentage >= Decimal::from(100) => Self::LimitReached,
            percentage if percentage >= Decimal::from(80) => Self::Warning,
            _ => Self::Active,
        }
    }
}

impl Statistics {
    pub fn new(
        usage: PeriodUsage,
        alerts: Vec<Alerted>,
        plan: Option<Arc<Plan>>,
    ) -> Result<Self, Overflow> {
        let mut total = Totals::default();
        let mut by_provider = BTreeMap::<_, Totals>::new();
        for cell in usage.table.cells() {
            total.add(&cell.totals)?;
            by_provider.entry(cell.provider.clone()).or_default().add(&cell.totals)?;
        }
        let runs = |period: &PeriodId| *period == usage.calendar.period(usage.at);
        let passed = usage.period.as_ref().is_some_and(|period| !runs(period));
        let used = match passed {
            false => usage.quotas.iter().map(standing).collect(),
            true => plan.as_deref().map_or_else(Vec::new, |plan| in_month(plan, &usage.table)),
        };
        let percentages: Vec<_> =
            used.into_iter().map(|(name, used, limit)| (name, percentage(used, limit))).collect();
        let highest = percentages.iter().map(|(_, percentage)| *percentage).max();
        Ok(Self {
            period: usage.period,
            status: UsageStatus::of(highest.unwrap_or_default()),
            avg_response_time: ratio(total.response_time_ms, total.timed)
                .checked_div(Decimal::from(1000))
                .map_or(Decimal::ZERO, |seconds| seconds.round_dp(6)),
            error_rate: (ratio(total.failed, total.events) * Decimal::from(100)).round_dp(2),
            percentages: percentages
                .into_iter()
                .map(|(name, percentage)| (name, percentage.round_dp(1)))
                .collect(),
            total,
            by_provider,
            plan,
            alerts,
            at: usage.at,
        })
    }
}

/// A quota's name, what is used of it, and its limit.
type Used = (QuotaName, Amount, Option<Amount>);

fn standing(quota: &QuotaState) -> Used {
    (quota.name.clone(), quota.used, quota.limit)
}

/// What a month's use was of the quotas on months; other windows, sliding ones too, have passed.
fn in_month(plan: &Plan, table: &Table) -> Vec<Used> {
    let used = plan.quotas.iter().map(|quota| {
        let used = if quota.window == Window::Month { table.read(quota) } else { Amount::ZERO };
        (quota.name.clone(), used, quota.limit)
    });
    used.collect()
}

/// How much of a limit is used, in percent: 0 without a limit, and 100 where nothing is allowed
/// and something was used.
fn percentage(used: Amount, limit: Option<Amount>) -> Decimal {
    percentage_of(used.to_decimal_rounded(), limit)
}

/// The same of what is only expected.
pub(super) fn percentage_of(expected: Decimal, limit: Option<Amount>) -> Decimal {
    match limit {
        None => Decimal::ZERO,
        Some(_) if expected.is_zero() => Decimal::ZERO,
        Some(Amount::ZERO) => Decimal::from(100),
        Some(limit) => expected
            .checked_div(limit.to_decimal_rounded())
            .and_then(|part| part.checked_mul(Decimal::from(100)))
            .unwrap_or(Decimal::MAX),
    }
}

fn ratio(part: u64, whole: u64) -> Decimal {
    Decimal::from(part).checked_div(Decimal::from(whole)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(used: &str, limit: &str) -> Decimal {
        percentage(used.parse().unwrap(), Some(limit.parse().unwrap()))
    }

    #[test]
    fn percentages_are_exact_before_they_are_rounded() {
        assert_eq!(percent("3275", "5000"), Decimal::new(655, 1));
        assert_eq!(percent("1", "3").round_dp(1), Decimal::new(333, 1));
        assert_eq!(percent("170141183460469231731.5", "0.000000000000000001"), Decimal::MAX);
        // Shown as 80.0, and still no warning.
        let nearly = percent("79.96", "100");
        assert_eq!(nearly.round_dp(1), Decimal::new(800, 1));
        assert_eq!(UsageStatus::of(nearly), UsageStatus::Active);
    }

    #[test]
    fn a_limit_of_nothing_is_reached_by_anything() {
        assert_eq!(percent("0", "0"), Decimal::ZERO);
        assert_eq!(percent("1", "0"), Decimal::from(100));
        assert_eq!(percentage(Amount::from(5), None), Decimal::ZERO);
    }

    #[test]
    fn a_warning_begins_at_80_percent_and_the_limit_at_100() {
        for (used, status) in [
            ("79.999", UsageStatus::Active),
            ("80", UsageStatus::Warning),
            ("99.999", UsageStatus::Warning),
            ("100", UsageStatus::LimitReached),
        ] {
            assert_eq!(UsageStatus::of(percent(used, "100")), status, "{used}");
        }
    }

    #[test]
    fn a_mean_over_nothing_is_zero() {
        assert_eq!(ratio(0, 0), Decimal::ZERO);
    }
}
