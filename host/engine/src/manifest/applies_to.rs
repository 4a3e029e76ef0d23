//! What a policy is narrowed to: calls to some providers, by some subjects, …

use tollgate_domain::{Call, ModelId, PlanId, ProviderId, Reading, Snapshot, SubjectPath};

use super::ManifestError;
use super::reader::Field;
use crate::kinds::{Kind, Outlook};

/// A list that is empty narrows nothing. An entry is a name, or the beginning of one and a `*`;
/// a subject stands for everything beneath it too.
#[derive(Debug, Default)]
pub(crate) struct AppliesTo {
    providers: Vec<String>,
    models: Vec<String>,
    plans: Vec<String>,
    subjects: Vec<String>,
}

impl AppliesTo {
    pub(super) fn read(field: &Field, kind: Kind) -> Result<Self, ManifestError> {
        let mut section = field.section()?;
        let mut list = |key| section.optional(key, Field::texts).map(Option::unwrap_or_default);
        let applies_to = Self {
            providers: list("providers")?,
            subjects: list("subjects")?,
            // A price is asked for before anybody has looked for a plan; a reading counts calls
            // of many models.
            plans: if kind == Kind::Pricing { Vec::new() } else { list("plans")? },
            models: if kind == Kind::Alert { Vec::new() } else { list("models")? },
        };
        section.finish()?;
        Ok(applies_to)
    }

    pub fn call(&self, call: &Call) -> bool {
        self.provider(Some(&call.provider))
            && self.model(call.model.as_ref())
            && self.subject(&call.subject)
    }

    /// The providers that are named in full.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(String::as_str).filter(|name| !name.ends_with('*'))
    }

    /// Whether it may apply to a provider that it does not name in full.
    pub fn may_take_unnamed(&self) -> bool {
        self.providers.is_empty() || self.providers.iter().any(|name| name.ends_with('*'))
    }

    pub fn decision(&self, call: &Call, snapshot: &Snapshot) -> bool {
        let plans = || snapshot.levels.iter().filter_map(|level| level.plan.as_ref());
        self.call(call) && (self.plans.is_empty() || plans().any(|plan| self.plan(plan)))
    }

    pub fn reading(&self, reading: &Reading) -> bool {
        self.provider(reading.provider.as_ref())
            && self.plan(&reading.plan)
            && self.subject(&reading.subject)
    }

    /// Whether it applies to a subject with this plan, whatever it uses.
    pub fn level(&self, subject: &SubjectPath, plan: Option<&PlanId>) -> bool {
        self.subject(subject) && any(&self.plans, plan.map(PlanId::as_str), matches)
    }

    /// The part of an outlook that it applies to.
    pub fn outlook(&self, outlook: &Outlook) -> Outlook {
        outlook.narrowed(|it| self.reading(it), |provider| self.provider(Some(provider)))
    }

    pub fn provider(&self, provider: Option<&ProviderId>) -> bool {
        any(&self.providers, provider.map(ProviderId::as_str), matches)
    }

    fn model(&self, model: Option<&ModelId>) -> bool {
        any(&self.models, model.map(ModelId::as_str), matches)
    }

    fn plan(&self, plan: &PlanId) -> bool {
        any(&self.plans, Some(plan.as_str()), matches)
    }

    pub fn subject(&self, subject: &SubjectPath) -> bool {
        any(&self.subjects, Some(subject.as_str()), |entry, subject| {
            let rest = subject.strip_prefix(entry);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                || matches(entry, subject)
        })
    }
}

fn any(entries: &[String], name: Option<&str>, fits: impl Fn(&str, &str) -> bool) -> bool {
    entries.is_empty() || name.is_some_and(|name| entries.iter().any(|entry| fits(entry, name)))
}

fn matches(entry: &str, name: &str) -> bool {
    match entry.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == entry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_stands_for_everything_beneath_it_and_nothing_beside() {
        let narrowed = AppliesTo { subjects: vec!["acme".into()], ..AppliesTo::default() };
        for (subject, applies) in [("acme", true), ("acme/ann", true), ("acme2", false)] {
            assert_eq!(narrowed.subject(&subject.parse().unwrap()), applies, "{subject}");
        }
    }

    #[test]
    fn a_star_stands_for_the_rest_of_a_name() {
        let narrowed = AppliesTo { models: vec!["gpt-4*".into()], ..AppliesTo::default() };
        for (model, applies) in [("gpt-4o", true), ("gpt-4", true), ("gpt-3.5", false)] {
            assert_eq!(narrowed.model(Some(&model.parse().unwrap())), applies, "{model}");
        }
        assert!(!narrowed.model(None));
    }
}
