//! Policies that change what calls cost: margins, discounts, markups.

use std::sync::Arc;

use serde::Serialize;
use tollgate_domain::{
    Amount, Call, Charge, Metadata, PlanId, Quote, Side, SubjectPath, Timestamp, Usage, Usd,
};
use wasmtime::Store;
use wasmtime::component::{Instance as ComponentInstance, InstancePre};

use super::call::{Fact, with_call};
use super::needs::Need;
use super::pricing::{Rejected, side};
use super::{Kind, PolicyKind};
use crate::bad_output::{BadOutput, each, word};
use crate::bindings::adjustments;
use crate::candidate::AnyPolicy;
use crate::decimal::{from_amount, multiplies_to, to_amount, to_usd};
use crate::fault::Fault;
use crate::guest_state::GuestState;
use crate::instance::Instance;
use crate::policy::Policy;

pub(crate) struct Adjustments;

/// Who pays for a call, as far as prices depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Payer {
    /// The plan in force for the subject.
    pub plan: Option<PlanId>,
    /// What the widest level of the subject has cost so far in its billing period.
    pub period_cost: Option<Usd>,
}

/// What an adjustment depends on.
#[derive(Debug, PartialEq)]
pub(crate) struct Dependence {
    pub asks_who_pays: bool,
}

impl PolicyKind for Adjustments {
    type Indices = adjustments::GuestIndices;
    type Guest = adjustments::Guest;
    type Terms = Dependence;
    type Answers = Vec<Result<Quote, Rejected>>;
    type Kept = ();

    const KIND: Kind = Kind::Adjustment;

    fn indices(pre: &InstancePre<GuestState>) -> wasmtime::Result<Self::Indices> {
        adjustments::GuestIndices::new(pre)
    }

    fn load(
        indices: &Self::Indices,
        store: &mut Store<GuestState>,
        instance: &ComponentInstance,
    ) -> wasmtime::Result<Self::Guest> {
        indices.load(store, instance)
    }

    fn any(policy: Arc<Policy<Self>>) -> AnyPolicy {
        AnyPolicy::Adjustment(policy)
    }

    fn terms(instance: &mut Instance<Self>) -> Result<Self::Terms, Fault> {
        let needs = instance.needs();
        let asks_who_pays = needs.has(Need::Plan) || needs.has(Need::PeriodCost);
        Ok(Dependence { asks_who_pays })
    }

    /// Tries a bill of each side, for nobody and for somebody.
    fn probe(instance: &mut Instance<Self>, _: &Self::Terms) -> Result<Self::Answers, Fault> {
        let Some((call, quote)) = sample() else { return Ok(Vec::new()) };
        let somebody =
            Payer { plan: "probe".parse().ok(), period_cost: Some(Usd(Amount::from(1_000))) };
        let payers = [Payer::default(), somebody];
        payers.iter().map(|payer| adjust(instance, &call, AT, payer, &quote)).collect()
    }
}

/// 2025-03-04T05:06:07Z.
const AT: Timestamp = Timestamp::from_micros(1_741_064_767_000_000);

fn sample() -> Option<(Call, Quote)> {
    let charge = |quantity: &str, side| {
        let unit_price: Usd = "0.000003".parse().ok()?;
        Some(Charge {
            quantity: quantity.parse().ok()?,
            amount: Amount::from(1_000),
            unit_price,
            cost: Usd(unit_price.0.checked_times(1_000)?),
            side,
        })
    };
    let charges = vec![
        charge("input_tokens", Side::Input)?,
        charge("output_tokens", Side::Output)?,
        charge("searches", Side::Fee)?,
    ];
    let call = Call {
        subject: "probe".parse::<SubjectPath>().ok()?,
        provider: "probe".parse().ok()?,
        model: "probe".parse().ok(),
        endpoint: None,
        usage: Usage::new([("input_tokens".parse().ok()?, 1_000)]).ok()?,
        max_tokens: None,
        features: Vec::new(),
        service_tier: None,
        region: None,
        metadata: Metadata::new(),
    };
    Some((call, Quote::new("probe".into(), charges)?))
}

/// What a call costs once the policy has changed it.
pub(crate) fn adjust(
    instance: &mut Instance<Adjustments>,
    call: &Call,
    at: Timestamp,
    payer: &Payer,
    quote: &Quote,
) -> Result<Result<Quote, Rejected>, Fault> {
    let needs = instance.needs().and_usage();
    let mut facts: Vec<Fact<'_>> = Vec::new();
    if let Some(plan) = payer.plan.as_ref().filter(|_| needs.has(Need::Plan)) {
        facts.push(("plan".into(), plan.as_str().into()));
    }
    if let Some(cost) = payer.period_cost.filter(|_| needs.has(Need::PeriodCost)) {
        facts.push(("period-cost".into(), cost.to_string().into()));
    }
    let names: Vec<&str> = quote.charges.iter().map(|charge| charge.quantity.as_str()).collect();
    let charges =
        quote.charges.iter().zip(&names).map(|(charge, quantity)| lowered(charge, quantity));
    let charges = charges.collect::<Result<Vec<_>, _>>()?;
    let answer = with_call(call, at, needs, facts, |call, bytes| {
        let bytes = bytes + quote.charges.len() as u64 * CHARGE_BYTES;
        instance.call(bytes, |guest, store| guest.call_adjust(store, call, &quote.entry, &charges))
    })?;
    match answer {
        Ok(charges) => {
            let charges = each("charges", charges, charge)?;
            let adjusted = Quote::new(quote.entry.clone(), charges);
            let too_large = || BadOutput::new("charges", "are too large a sum");
            Ok(Ok(adjusted.ok_or_else(too_large)?))
        }
        Err(failure) if failure.code.is_empty() => Err(BadOutput::new("code", "is empty").into()),
        Err(failure) => Ok(Err(Rejected { code: failure.code, message: failure.message })),
    }
}

/// What a charge takes in a guest's memory, about.
const CHARGE_BYTES: u64 = 120;

fn lowered<'c>(
    charge: &'c Charge,
    quantity: &'c str,
) -> Result<adjustments::ChargeParam<'c>, Fault> {
    Ok(adjustments::ChargeParam {
        quantity,
        amount: from_amount(charge.amount)?,
        unit_price: from_amount(charge.unit_price.0)?,
        cost: from_amount(charge.cost.0)?,
        side: match charge.side {
            Side::Input => "input",
            Side::Output => "output",
            Side::Fee => "fee",
        },
    })
}

fn charge(charge: adjustments::ChargeResult) -> Result<Charge, BadOutput> {
    let amount = to_amount("amount", charge.amount)?;
    let unit_price = to_usd("unit-price", charge.unit_price)?;
    let cost = to_usd("cost", charge.cost)?;
    if !multiplies_to(amount, unit_price, cost) {
        let problem = format_args!("{cost} is not {amount} at {unit_price}");
        return Err(BadOutput::new("cost", problem));
    }
    let (quantity, side) = (word("quantity", &charge.quantity)?, side(&charge.side)?);
    Ok(Charge { quantity, amount, unit_price, cost, side })
}
