//! A call in the form in which policies are shown it.

use std::borrow::Cow;

use tollgate_domain::{Call, QuantityName, Timestamp, Usage};

use super::needs::{Need, Needs};
use crate::bad_output::{BadOutput, each, word};
use crate::bindings::types;
use crate::decimal;

/// A name and a value, before the contract's form borrows them.
pub(super) type Fact<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The bytes that a call takes in a guest's memory, besides its texts.
const CALL_BYTES: u64 = 128;
const ENTRY_BYTES: u64 = 40;

/// Hands `call` over in the contract's form, with its size in bytes. Nothing is built that the
/// policy did not ask for; `facts` are those that only the caller of this function knows.
pub(super) fn with_call<'a, R>(
    call: &'a Call,
    at: Timestamp,
    needs: Needs,
    mut facts: Vec<Fact<'a>>,
    then: impl FnOnce(types::Call, u64) -> R,
) -> R {
    let usage = if needs.has(Need::Usage) { measures(&call.usage) } else { Vec::new() };
    if needs.has_facts() {
        add_stated_facts(call, needs, &mut facts);
    }
    let facts: Vec<_> = facts.iter().map(|(name, value)| types::Fact { name, value }).collect();
    let texts: usize = facts.iter().map(|fact| fact.name.len() + fact.value.len()).sum();
    let entries = (usage.len() + facts.len()) as u64;
    let bytes = CALL_BYTES + ENTRY_BYTES * entries + texts as u64;
    let call = types::Call {
        provider: call.provider.as_str(),
        model: call.model.as_ref().map(|model| model.as_str()),
        usage: &usage,
        at: at.millis(),
        facts: &facts,
    };
    then(call, bytes)
}

/// Reads a usage that a policy states.
pub(super) fn usage(measures: Vec<types::MeasureResult>) -> Result<Usage, BadOutput> {
    let list = quantities("usage", measures)?;
    Usage::new(list).map_err(|error| BadOutput::new("usage", error))
}

/// Reads quantities that a policy states; `name` is what the contract calls their list.
pub(super) fn quantities(
    name: &str,
    measures: Vec<types::MeasureResult>,
) -> Result<Vec<(QuantityName, u64)>, BadOutput> {
    each(name, measures, |measure| {
        let amount = decimal::to_count("amount", measure.amount)?;
        Ok((word("quantity", &measure.quantity)?, amount))
    })
}

fn measures(usage: &Usage) -> Vec<types::MeasureParam<'_>> {
    let measure = |(quantity, amount)| types::MeasureParam {
        quantity: QuantityName::as_str(quantity),
        amount: decimal::from_count(amount),
    };
    usage.iter().map(measure).collect()
}

fn add_stated_facts<'a>(call: &'a Call, needs: Needs, facts: &mut Vec<Fact<'a>>) {
    let mut add = |need, name: &'static str, value: Option<Cow<'a, str>>| {
        if let Some(value) = value.filter(|_| needs.has(need)) {
            facts.push((name.into(), value));
        }
    };
    add(Need::Endpoint, "endpoint", call.endpoint.as_ref().map(|name| name.as_str().into()));
    add(Need::ServiceTier, "service-tier", call.service_tier.as_deref().map(Cow::from));
    add(Need::Region, "region", call.region.as_deref().map(Cow::from));
    add(Need::Subject, "subject", Some(call.subject.as_str().into()));
    if needs.has(Need::Features) && !call.features.is_empty() {
        let features: Vec<_> = call.features.iter().map(|feature| feature.as_str()).collect();
        add(Need::Features, "features", Some(features.join(",").into()));
    }
    if needs.has(Need::Metadata) {
        let entries = call.metadata.iter();
        facts.extend(entries.map(|(key, value)| (format!("metadata.{key}").into(), value.into())));
    }
}

#[cfg(test)]
mod tests {
    use tollgate_domain::Metadata;

    use super::*;
    use crate::kinds::Kind;

    #[test]
    fn a_policy_is_told_what_it_asked_for_and_what_was_stated() {
        let call = Call {
            subject: "acme/ann".parse().unwrap(),
            provider: "gemini".parse().unwrap(),
            model: None,
            endpoint: None,
            usage: Usage::new([]).unwrap(),
            max_tokens: None,
            features: vec!["a".parse().unwrap(), "b".parse().unwrap()],
            service_tier: Some("batch".into()),
            region: Some("eu".into()),
            metadata: Metadata::from([("team".into(), "ml".into())]),
        };
        let names = ["endpoint", "service-tier", "features", "metadata", "subject"];
        let needs = Needs::parse(Kind::Pricing, &names.map(String::from)).unwrap();
        with_call(&call, Timestamp::from_micros(1_500_000), needs, Vec::new(), |shown, _| {
            let facts: Vec<_> = shown.facts.iter().map(|fact| (fact.name, fact.value)).collect();
            let expected = [
                ("service-tier", "batch"),
                ("subject", "acme/ann"),
                ("features", "a,b"),
                ("metadata.team", "ml"),
            ];
            assert_eq!(facts, expected);
            assert_eq!((shown.at, shown.usage.len()), (1_500, 0), "usage was not asked for");
        });
    }
}
