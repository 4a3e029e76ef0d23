//! Tier policies: what is sold, and to whom a call is granted.

mod answer;
mod probe;

use std::sync::Arc;

use tollgate_domain::{Call, LevelState, Opinion, Plan, QuotaState, Snapshot, Usd};
use wasmtime::Store;
use wasmtime::component::{Instance as ComponentInstance, InstancePre};

use super::call::{Fact, with_call};
use super::needs::{Need, Needs};
use super::{Kind, PolicyKind};
use crate::bad_output::each;
use crate::bindings::tiers;
use crate::candidate::AnyPolicy;
use crate::decimal::from_amount;
use crate::fault::Fault;
use crate::guest_state::GuestState;
use crate::instance::Instance;
use crate::policy::Policy;

pub(crate) struct Tiers;

/// A plan, and whether it is the default one.
pub(crate) type OfferedPlan = (Plan, bool);

impl PolicyKind for Tiers {
    type Indices = tiers::GuestIndices;
    type Guest = tiers::Guest;
    type Terms = Vec<OfferedPlan>;
    type Answers = Vec<Opinion>;

    const KIND: Kind = Kind::Tier;

    fn indices(pre: &InstancePre<GuestState>) -> wasmtime::Result<Self::Indices> {
        tiers::GuestIndices::new(pre)
    }

    fn load(
        indices: &Self::Indices,
        store: &mut Store<GuestState>,
        instance: &ComponentInstance,
    ) -> wasmtime::Result<Self::Guest> {
        indices.load(store, instance)
    }

    fn any(policy: Arc<Policy<Self>>) -> AnyPolicy {
        AnyPolicy::Tier(policy)
    }

    fn terms(instance: &mut Instance<Self>) -> Result<Self::Terms, Fault> {
        let plans = instance.set_up(|guest, store| guest.call_plans(store))?;
        Ok(each("plans", plans, answer::plan)?)
    }

    fn probe(instance: &mut Instance<Self>, plans: &Self::Terms) -> Result<Self::Answers, Fault> {
        let calls = probe::calls(plans);
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
    let needs = instance.needs();
    let quotas = quotas(snapshot, needs)?;
    let mut rest = &quotas[..];
    let levels: Vec<_> =
        snapshot.levels.iter().map(|state| level(state, &mut rest, needs)).collect();
    let facts = facts(snapshot, estimated_cost, needs);
    let verdict = with_call(call, snapshot.at, needs, facts, |call, call_bytes| {
        let bytes = call_bytes + LEVEL_BYTES * (levels.len() + quotas.len()) as u64;
        instance.call(bytes, |guest, store| guest.call_evaluate(store, call, &levels))
    })?;
    Ok(answer::opinion(verdict, levels.len())?)
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
    use tollgate_domain::{Calendar, Status, Timestamp};

    use super::*;

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
