//! Limits as the seed's clients read them: always a number, and 0 for unlimited.

use serde::{Serialize, Serializer};
use tollgate_domain::{Amount, FeatureId, Plan};
use utoipa::ToSchema;
use utoipa::openapi::Ref;
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder};

use crate::http::money::{Exact, Number};
use crate::http::openapi::schema::described;

/// What dashboards expect a number for, whether or not a plan limits it.
const NAMES: [&str; 14] = [
    "gemini_calls",
    "openai_calls",
    "anthropic_calls",
    "mistral_calls",
    "tavily_calls",
    "serper_calls",
    "metaphor_calls",
    "firecrawl_calls",
    "stability_calls",
    "gemini_tokens",
    "openai_tokens",
    "anthropic_tokens",
    "mistral_tokens",
    "monthly_cost",
];

/// The names that dashboards expect, and after them the plan's other quotas.
pub fn names(plan: Option<&Plan>) -> impl Iterator<Item = &str> {
    let own = plan.into_iter().flat_map(|plan| &plan.quotas).map(|quota| quota.name.as_str());
    NAMES.into_iter().chain(own.filter(|name| !NAMES.contains(name)))
}

/// The limits of a plan, by name.
pub struct Limits<'a>(pub Option<&'a Plan>);

impl Serialize for Limits<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(names(self.0).map(|name| (name, Exact(self.of(name)))))
    }
}

described! {
    ['a] Limits<'a>, "Limits", by_quota::<Number>("The plan's limits; 0 stands for unlimited.");
    Number
}

/// A number for each of a plan's quotas, and for all names that dashboards expect.
pub fn by_quota<T: ToSchema>(description: &str) -> Object {
    let each = || Ref::from_schema_name(T::name());
    let expected =
        NAMES.into_iter().fold(ObjectBuilder::new(), |object, name| object.property(name, each()));
    expected
        .description(Some(description))
        .additional_properties(Some(AdditionalProperties::from(each())))
        .build()
}

impl Limits<'_> {
    fn of(&self, name: &str) -> Amount {
        let mut quotas = self.0.into_iter().flat_map(|plan| &plan.quotas);
        quotas
            .find(|quota| quota.name.as_str() == name)
            .and_then(|quota| quota.limit)
            .unwrap_or_default()
    }
}

/// A plan as far as it limits.
#[derive(Serialize, ToSchema)]
pub struct PlanLimits<'a> {
    #[schema(required)]
    plan_name: Option<&'a str>,
    #[schema(required)]
    tier: Option<&'a str>,
    limits: Limits<'a>,
    features: &'a [FeatureId],
}

impl<'a> PlanLimits<'a> {
    pub fn new(plan: Option<&'a Plan>) -> Self {
        Self {
            plan_name: plan.map(|plan| plan.name.as_str()),
            tier: plan.map(|plan| plan.tier.as_str()),
            limits: Limits(plan),
            features: plan.map_or(&[], |plan| &plan.features),
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_domain::{Mode, Quota, Window};

    use super::*;

    fn plan(quotas: &[(&str, Option<&str>)]) -> Plan {
        let quotas = quotas.iter().map(|(name, limit)| Quota {
            name: name.parse().unwrap(),
            meter: "calls".parse().unwrap(),
            providers: vec![],
            models: vec![],
            window: Window::Month,
            limit: limit.map(|limit| limit.parse().unwrap()),
            mode: Mode::Hard,
            grace_percent: 0,
        });
        Plan {
            id: "own".parse().unwrap(),
            name: "Own".into(),
            tier: "own".into(),
            description: String::new(),
            price_monthly: Default::default(),
            price_yearly: Default::default(),
            features: vec![],
            providers: None,
            quotas: quotas.collect(),
        }
    }

    #[test]
    fn every_expected_name_has_a_number_and_a_plans_own_names_follow() {
        let plan = plan(&[
            ("gemini_calls", Some("100")),
            ("openai_calls", None),
            ("monthly_cost", Some("49.95")),
            ("burst", Some("5")),
        ]);
        let limits = serde_json::to_value(Limits(Some(&plan))).unwrap();
        assert_eq!(limits.as_object().unwrap().len(), NAMES.len() + 1);
        for (name, number) in [
            ("gemini_calls", "100"),
            ("openai_calls", "0"),
            ("tavily_calls", "0"),
            ("monthly_cost", "49.95"),
            ("burst", "5"),
        ] {
            assert_eq!(limits[name].to_string(), number, "{name}");
        }
    }
}
