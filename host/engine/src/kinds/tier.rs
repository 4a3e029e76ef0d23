//! Tier policies: what is sold, and to whom a call is granted.

mod answer;
mod probe;
mod scope;

use std::sync::Arc;

use tollgate_domain::{Call, LevelState, Opinion, Plan, QuotaState, Snapshot, Usd};
use wasmtime::Store;
use wasmtime::component::{Instance as ComponentInstance, InstancePre};

use super::call::{Fact, with_call};
use super::kept::Kept;
use super::needs::{Need, Needs};
use super::{Kind, PolicyKind, exports};
use crate::bad_output::each;
use crate::bindings::{tiers, verdict_scope};
use crate::candidate::AnyPolicy;
use crate::decimal::from_amount;
use crate::fault::Fault;
use crate::guest_state::GuestState;
use crate::instance::Instance;
use crate::policy::Policy;

use scope::Scope;

pub(crate) struct Tiers;

/// Where the functions of a tier policy's interfaces are.
pub(crate) struct Indices {
    tiers: tiers::GuestIndices,
    scope: Option<verdict_scope::GuestIndices>,
}

/// The functions of one instance.
pub(crate) struct Functions {
    tiers: tiers::Guest,
    verdict_scope: Option<verdict_scope::Guest>,
    /// What it is shown, if not all: known once it is configured.
    scope: Option<Scope>,
}

/// A plan, and whether it is the default one.
pub(crate) type OfferedPlan = (Plan, bool);

/// What a tier policy says of itself.
#[derive(Debug, PartialEq)]
pub(crate) struct Offer {
    pub plans: Vec<OfferedPlan>,
    /// What its verdicts depend on; `None` where it wants to be asked each time.
    pub scope: Option<Scope>,
}

impl PolicyKind for Tiers {
    type Indices = Indices;
    type Guest = Functions;
    type Terms = Offer;
    type Answers = Vec<Opinion>;
    type Kept = Kept<Opinion>;

    const KIND: Kind = Kind::Tier;

    fn indices(pre: &InstancePre<GuestState>) -> wasmtime::Result<Self::Indices> {
        let scoped = exports(pre, "verdict-scope");
        Ok(Indices {
            tiers: tiers::GuestIndices::new(pre)?,
            scope: scoped.then(|| verdict_scope::GuestIndices::new(pre)).transpose()?,
        })
    }

    fn load(
        indices: &Self::Indices,
        store: &mut Store<GuestState>,
        instance: &ComponentInstance,
    ) -> wasmtime::Result<Self::Guest> {
        let scope = indices.scope.as_ref();
        Ok(Functions {
            tiers: indices.tiers.load(&mut *store, instance)?,
            verdict_scope: scope.map(|scope| scope.load(store, instance)).transpose()?,
            scope: None,
        })
    }

    fn configured(
        guest: &mut Functions,
        store: &mut Store<GuestState>,
    ) -> wasmtime::Result<Vec<String>> {
        if let Some(verdict_scope) = &guest.verdict_scope {
            guest.scope = Scope::parse(&verdict_scope.call_depends_on(store)?)?;
        }
        Ok(Vec::new())
    }

    fn any(policy: Arc<Policy<Self>>) -> AnyPolicy {
        AnyPolicy::Tier(policy)
    }

    fn terms(instance: &mut Instance<Self>) -> Result<Self::Terms, Fault> {
        let plans = instance.set_up(|guest, store| guest.tiers.call_plans(store))?;
        let scope = instance.guest().scope;
        if let Some(scope) = scope {
            scope.check(instance.needs())?;
        }
        Ok(Offer { plans: each("plans", plans, answer::plan)?, scope })
    }

    fn probe(instance: &mut Instance<Self>, offer: &Self::Terms) -> Result<Self::Answers, Fault> {
        let calls = probe::calls(&offer.plans);
        calls.iter().map(|(call, snapshot)| evaluate(instance, call, snapshot, None)).collect()
    }
}

/// What the policy thinks of a call.
pub(crate) fn evaluate(
    instance: &mut Instance<Tiers>,
    call: &Call,
    snapshot: &Snapshot,
    estimated_cost: Option<Usd>,
) -> Result<Opinion, Fault> {
    let (needs, scope) = (instance.needs(), instance.guest().scope);
    let quotas = quotas(snapshot, needs)?;
    let mut rest = &quotas[..];
    let levels: Vec<_> =
        snapshot.levels.iter().map(|state| level(state, &mut rest, needs)).collect();
    let facts = facts(snapshot, estimated_cost, needs);
    let verdict = with_call(call, snapshot.at, needs, facts, |mut call, call_bytes| {
        let bytes = call_bytes + LEVEL_BYTES * (levels.len() + quotas.len()) as u64;
        let mut levels = levels;
        if let Some(scope) = scope {
            scope.narrow(&mut call, &mut levels);
        }
        instance.call(bytes, |guest, store| guest.tiers.call_evaluate(store, call, &levels))
    })?;
    Ok(answer::opinion(verdict, snapshot.levels.len())?)
}

/// What a level or a quota takes in a guest's memory.
const LEVEL_BYTES: u64 = 160;

/// The quotas of all levels, one level after the other.
fn quotas(snapshot: &Snapshot, needs: Needs) -> Result<Vec<tiers::Quota<'_>>, Fault> {
    if !needs.has(Need::Quotas) {
        return Ok(Vec::new());
    }
    snapshot.levels.iter().flat_map(|level| &level.quotas).map(quota).collect()
}

fn quota(state: &QuotaState) -> Result<tiers::Quota<'_>, Fault> {
    Ok(tiers::Quota {
        name: state.name.as_str(),
        limit: state.limit.map(from_amount).transpose()?,
        used: from_amount(state.used)?,
        reserved: from_amount(state.reserved)?,
        requested: from_amount(state.requested.unwrap_or_default())?,
    })
}

/// One level, with its share of the front of `quotas`.
fn level<'a>(
    state: &'a LevelState,
    quotas: &mut &'a [tiers::Quota<'a>],
    needs: Needs,
) -> tiers::Level<'a> {
    let count = if needs.has(Need::Quotas) { state.quotas.len() } else { 0 };
    let (own, rest) = quotas.split_at(count);
    *quotas = rest;
    tiers::Level {
        subject: state.subject.as_str(),
        plan: state.plan.as_ref().map(|plan| plan.as_str()),
        quotas: own,
    }
}

/// The facts that only tier policies are given.
fn facts(snapshot: &Snapshot, estimated_cost: Option<Usd>, needs: Needs) -> Vec<Fact<'static>> {
    let mut facts: Vec<Fact> = Vec::new();
    if needs.has(Need::LocalWeekday) || needs.has(Need::LocalHour) {
        let with_plan = snapshot.levels.iter().find(|level| level.plan.is_some());
        let calendar = with_plan.map(|level| level.calendar).unwrap_or_default();
        let local = calendar.local(snapshot.at);
        if needs.has(Need::LocalWeekday) {
            facts.push(("local-weekday".into(), local.format("%u").to_string().into()));
        }
        if needs.has(Need::LocalHour) {
            facts.push(("local-hour".into(), local.format("%-H").to_string().into()));
        }
    }
    if let Some(cost) = estimated_cost.filter(|_| needs.has(Need::EstimatedCost)) {
        facts.push(("estimated-cost".into(), cost.to_string().into()));
    }
    facts
}

#[cfg(test)]
mod tests {
    use tollgate_domain::{Calendar, Metadata, Status, Timestamp, Usage};

    use super::*;

    pub(in crate::kinds::tier) fn call() -> Call {
        Call {
            subject: "acme/ann".parse().unwrap(),
            provider: "gemini".parse().unwrap(),
            model: "gemini-2.5-flash".parse().ok(),
            endpoint: None,
            usage: Usage::new([]).unwrap(),
            max_tokens: None,
            features: Vec::new(),
            service_tier: None,
            region: None,
            metadata: Metadata::new(),
        }
    }

    /// Levels of these plans.
    pub(in crate::kinds::tier) fn snapshot(plans: &[Option<&str>]) -> Snapshot {
        let level = |plan: &Option<&str>| LevelState {
            subject: "acme".parse().unwrap(),
            calendar: Calendar::default(),
            plan: plan.map(|plan| plan.parse().unwrap()),
            terms: None,
            status: Status::Active,
            quotas: Vec::new(),
        };
        Snapshot { at: Timestamp::EPOCH, levels: plans.iter().map(level).collect() }
    }

    fn facts_for(needs: &[&str]) -> Vec<(String, String)> {
        let at: Timestamp = "2025-01-05T23:30:00Z".parse().unwrap();
        let level = |plan: Option<&str>, timezone: &str| LevelState {
            subject: "acme".parse().unwrap(),
            calendar: Calendar { timezone: timezone.parse().unwrap(), anchor_day: 1 },
            plan: plan.map(|plan| plan.parse().unwrap()),
            terms: None,
            status: Status::Active,
            quotas: Vec::new(),
        };
        let levels = vec![level(None, "UTC"), level(Some("free"), "Europe/Berlin")];
        let names: Vec<_> = needs.iter().map(|&name| name.to_owned()).collect();
        let needs = Needs::parse(Kind::Tier, &names).unwrap();
        let cost = Some("0.00045".parse().unwrap());
        let facts = facts(&Snapshot { at, levels }, cost, needs);
        facts.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn local_time_is_that_of_the_widest_level_with_a_plan() {
        let expected = [("local-weekday", "1"), ("local-hour", "0")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(facts_for(&["local-hour", "local-weekday"]), expected);
    }

    #[test]
    fn nothing_is_told_that_was_not_asked_for() {
        assert_eq!(facts_for(&["usage", "quotas"]), []);
        let cost = ("estimated-cost".to_owned(), "0.00045".to_owned());
        assert_eq!(facts_for(&["estimated-cost"]), [cost]);
    }
}
