//! What a policy's verdicts depend on, where it says that this is little.

use tollgate_domain::{Call, Snapshot};

use super::Needs;
use crate::bad_output::BadOutput;
use crate::bindings::{tiers, types};
use crate::kinds::kept::{END, Key, NONE};
use crate::kinds::needs::Need;

/// The parts of its input that a tier policy is shown, if not all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scope(u8);

/// What may be in a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Provider,
    Model,
    Plan,
    Features,
    ServiceTier,
    Region,
}

impl Part {
    const ALL: [(Self, &str); 6] = [
        (Self::Provider, "provider"),
        (Self::Model, "model"),
        (Self::Plan, "plan"),
        (Self::Features, "features"),
        (Self::ServiceTier, "service-tier"),
        (Self::Region, "region"),
    ];

    /// Those that a policy is told only if it needs them.
    const NEEDED: [(Self, Need); 3] = [
        (Self::Features, Need::Features),
        (Self::ServiceTier, Need::ServiceTier),
        (Self::Region, Need::Region),
    ];

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Scope {
    /// Reads what a policy says; `None` where it wants to be asked each time.
    pub fn parse(words: &[String]) -> Result<Option<Self>, BadOutput> {
        let bits = words.iter().try_fold(0, |bits, word| {
            let known = Part::ALL.iter().find(|(_, name)| name == word);
            let unknown = || BadOutput::new("depends-on", format_args!("`{word}` is not known"));
            Ok(bits | known.ok_or_else(unknown)?.0.bit())
        })?;
        Ok((bits != 0).then_some(Self(bits)))
    }

    /// What a policy needs it must depend on, and the other way round.
    pub fn check(self, needs: Needs) -> Result<(), BadOutput> {
        let told = Part::NEEDED.iter().filter(|(part, _)| self.has(*part)).map(|(_, need)| *need);
        if needs == Needs::of(told) {
            return Ok(());
        }
        let problem = "of `features`, `service-tier` and `region` it must have those that the \
                       policy needs, and nothing else may be needed";
        Err(BadOutput::new("depends-on", problem))
    }

    /// Takes away what is not in it.
    pub fn narrow(self, call: &mut types::Call<'_>, levels: &mut [tiers::Level<'_>]) {
        call.at = 0;
        if !self.has(Part::Provider) {
            call.provider = "";
        }
        if !self.has(Part::Model) {
            call.model = None;
        }
        for level in levels {
            level.subject = "";
            level.plan = level.plan.filter(|_| self.has(Part::Plan));
        }
    }

    pub fn has(self, part: Part) -> bool {
        self.0 & part.bit() != 0
    }

    /// What tells a question from all others that the policy may be asked.
    pub fn key(self, call: &Call, snapshot: &Snapshot) -> Key {
        let mut key = Key::new();
        let mut add = |part, text: Option<&str>| {
            if self.has(part) {
                key.extend_from_slice(text.map_or(&[NONE], str::as_bytes));
                key.push(END);
            }
        };
        add(Part::Provider, Some(call.provider.as_str()));
        add(Part::Model, call.model.as_ref().map(|model| model.as_str()));
        add(Part::ServiceTier, call.service_tier.as_deref());
        add(Part::Region, call.region.as_deref());
        for feature in &call.features {
            add(Part::Features, Some(feature.as_str()));
        }
        // Features end here.
        key.push(NONE);
        for level in &snapshot.levels {
            let plan = level.plan.as_ref().filter(|_| self.has(Part::Plan));
            key.extend_from_slice(plan.map_or(&[NONE], |plan| plan.as_str().as_bytes()));
            key.push(END);
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kind;
    use crate::kinds::tier::tests::{call, snapshot};

    fn parse(words: &[&str], needs: &[&str]) -> Result<Option<Scope>, BadOutput> {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let scope = Scope::parse(&owned(words))?;
        let needs = Needs::parse(Kind::Tier, &owned(needs)).unwrap();
        scope.map(|scope| scope.check(needs).map(|()| scope)).transpose()
    }

    #[test]
    fn a_scope_has_all_that_is_needed_and_nothing_unknown() {
        assert_eq!(parse(&[], &["quotas"]), Ok(None));
        assert!(parse(&["plan"], &[]).unwrap().is_some());
        assert!(parse(&["plan", "features"], &["features"]).unwrap().is_some());
        for (words, needs) in [
            (&["plan"][..], &["features"][..]),
            (&["plan", "features"], &[]),
            (&["plan"], &["local-hour"]),
            (&["plan"], &["quotas"]),
            (&["weather"], &[]),
        ] {
            assert!(parse(words, needs).is_err(), "{words:?}, {needs:?}");
        }
    }

    #[test]
    fn what_is_not_in_a_scope_is_not_shown() {
        let shown = |words: &[&str]| {
            let mut call =
                types::Call { provider: "gemini", model: Some("m"), usage: &[], at: 5, facts: &[] };
            let mut levels = [tiers::Level { subject: "acme", plan: Some("free"), quotas: &[] }];
            parse(words, &[]).unwrap().unwrap().narrow(&mut call, &mut levels);
            (call.provider, call.model, call.at, levels[0].subject, levels[0].plan)
        };
        assert_eq!(shown(&["plan"]), ("", None, 0, "", Some("free")));
        assert_eq!(shown(&["provider", "model"]), ("gemini", Some("m"), 0, "", None));
    }

    #[test]
    fn questions_that_differ_in_the_scope_have_different_keys_and_others_the_same() {
        let scope = parse(&["provider", "plan", "features"], &["features"]).unwrap().unwrap();
        let key = |provider: &str, features: &[&str], plans: &[Option<&str>]| {
            let mut call = call();
            call.provider = provider.parse().unwrap();
            call.features = features.iter().map(|feature| feature.parse().unwrap()).collect();
            scope.key(&call, &snapshot(plans))
        };
        let mut keys = vec![
            key("gemini", &[], &[Some("free")]),
            key("gemini", &[], &[Some("pro")]),
            key("gemini", &[], &[None]),
            key("gemini", &[], &[None, Some("free")]),
            key("gemini", &[], &[Some("free"), None]),
            key("openai", &[], &[Some("free")]),
            key("gemini", &["free"], &[]),
            key("gemini", &["free"], &[Some("free")]),
            key("gemini", &["a", "b"], &[Some("free")]),
            key("gemini", &["a"], &[Some("b"), Some("free")]),
        ];
        let all = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), all);
        let other = Call { model: None, subject: "zoe".parse().unwrap(), ..call() };
        let same = scope.key(&other, &snapshot(&[Some("free")]));
        assert_eq!(same, scope.key(&call(), &snapshot(&[Some("free")])));
    }
}
