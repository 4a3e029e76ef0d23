//! More of a quota on Saturdays and Sundays, when nobody else needs the capacity.

use serde::Deserialize;
use tollgate_plugin::tier::{EffectiveLimit, Level, Quota, Verdict};
use tollgate_plugin::{Call, Decimal, Description, JsonSchema, Pointer, Policy, Problem, Problems};
use tollgate_plugin::{TierPolicy, export_tier, warn};

/// The `[config]` table of the manifest.
#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "tollgate_plugin::schemars")]
#[serde(deny_unknown_fields)]
struct WeekendBurst {
    /// How much more, in percent of the limit.
    percent: u32,
    /// Of which quotas; of all, unless stated.
    #[serde(default)]
    quotas: Vec<String>,
}

export_tier!(WeekendBurst);

impl Policy for WeekendBurst {
    type Config = Self;

    fn describe() -> Description {
        Description::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .needs(&["local-weekday", "quotas"])
            .config::<Self>()
    }

    fn new(config: Self) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let right = (1..=10_000).contains(&config.percent);
        problems.unless(right, &Pointer::root().to("percent"), "must be from 1 to 10000");
        problems.into_result().map(|()| config)
    }
}

impl TierPolicy for WeekendBurst {
    fn evaluate(&self, call: &Call, levels: &[Level]) -> Verdict {
        let mut verdict = Verdict::allow();
        if !matches!(call.fact("local-weekday"), Some("6" | "7")) {
            return verdict;
        }
        for (position, level) in (0..).zip(levels) {
            verdict.limits.extend(level.quotas.iter().filter_map(|quota| {
                let limit = Some(self.raised(quota)?);
                Some(EffectiveLimit { level: position, quota: quota.name.clone(), limit })
            }));
        }
        verdict
    }
}

impl WeekendBurst {
    /// The limit of a weekend; none where there is no limit, or the quota is not one of these.
    fn raised(&self, quota: &Quota) -> Option<Decimal> {
        let limit = quota.limit?;
        if !self.quotas.is_empty() && !self.quotas.contains(&quota.name) {
            return None;
        }
        let raised = limit.times((100 + self.percent).into());
        let raised = raised.and_then(|percents| percents.shifted_right(2));
        raised.inspect_err(|error| warn!("{} stays as it is: {error}", quota.name)).ok()
    }
}

#[cfg(test)]
mod tests {
    use tollgate_plugin::testing::{call, configure, configure_as_in, level, problems, quota};

    use super::*;

    fn limits(config: &str, weekday: &str) -> Vec<String> {
        let policy: WeekendBurst = configure(config).expect("it takes the configuration");
        let call = call("gemini").with_fact("local-weekday", weekday);
        let unlimited = Quota { limit: None, ..quota("tokens", 0) };
        let levels = [
            level("acme").on_plan("team").with_quota(quota("calls", 100)).with_quota(unlimited),
            level("acme/ann").on_plan("free").with_quota(quota("cost", 5)),
        ];
        let verdict = policy.evaluate(&call, &levels);
        assert_eq!(verdict.refusal, None);
        let shown = |it: EffectiveLimit| {
            format!("{} {} {}", it.level, it.quota, it.limit.unwrap_or_default())
        };
        verdict.limits.into_iter().map(shown).collect()
    }

    #[test]
    fn weekends_have_more_of_what_is_limited() {
        assert_eq!(limits("percent = 50", "6"), ["0 calls 150", "1 cost 7.5"]);
        assert_eq!(limits("percent = 50", "5"), [""; 0]);
    }

    #[test]
    fn only_the_quotas_that_are_named_have_more() {
        assert_eq!(limits("percent = 10\nquotas = ['cost']", "7"), ["1 cost 5.5"]);
    }

    #[test]
    fn a_burst_of_nothing_is_refused() {
        assert_eq!(problems::<WeekendBurst>("percent = 0"), ["/percent: must be from 1 to 10000"]);
    }

    #[test]
    fn the_manifest_is_right() {
        assert!(configure_as_in::<WeekendBurst>(include_str!("../weekend-burst.toml")).is_ok());
    }
}
