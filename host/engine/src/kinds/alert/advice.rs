//! Advice of policies that know what there is to choose from.

mod answer;

use tollgate_domain::{FeatureId, QuantityName};

use super::outlook::{Alternative, Candidate, ModelName, ModelUse, Offer, OfferedQuota, Outlook};
use super::{Alerts, Recommendation, input_bytes, shown, windows};
use crate::bad_output::each;
use crate::bindings::{advice, types};
use crate::decimal::{from_amount, from_count};
use crate::fault::Fault;
use crate::instance::Instance;

/// About what an entry takes in a guest's memory, with its texts.
const ENTRY_BYTES: u64 = 120;

/// The models that might have served instead of these; none from a policy that does not advise.
pub(crate) fn candidates(
    instance: &mut Instance<Alerts>,
    models: &[ModelName],
) -> Result<Vec<Candidate>, Fault> {
    let shown: Vec<_> = models.iter().map(model).collect();
    let bytes = ENTRY_BYTES * models.len() as u64;
    let answer = instance.call(bytes, |guest, store| {
        guest.advice.as_ref().map(|it| it.call_candidates(store, &shown)).transpose()
    })?;
    let read = |candidate| answer::candidate(candidate, models.len());
    Ok(each("candidates", answer.unwrap_or_default(), read)?)
}

/// What a policy advises; nothing from one that does not.
pub(crate) fn advise(
    instance: &mut Instance<Alerts>,
    outlook: &Outlook,
) -> Result<Vec<Recommendation>, Fault> {
    // The contract's form borrows its lists: they are built from the innermost outwards.
    let readings: Vec<_> = outlook.readings.iter().collect();
    let names = windows(&readings);
    let use_lists = lists(&outlook.months, |month| lists(&month.uses, UseLists::of))?;
    let uses =
        pairs(&outlook.months, &use_lists, |month, inner| pairs(&month.uses, inner, model_use))?;
    let quota_lists = lists(&outlook.offers, |offer| lists(&offer.quotas, QuotaLists::of))?;
    let quotas =
        pairs(&outlook.offers, &quota_lists, |offer, inner| pairs(&offer.quotas, inner, quota))?;
    let features = lists(&outlook.offers, |offer| {
        Ok(offer.features.iter().map(FeatureId::as_str).collect::<Vec<_>>())
    })?;
    let months = outlook.months.iter().zip(&uses).map(|(month, uses)| advice::Month {
        period: month.period.as_str(),
        passed_percent: month.passed_percent,
        uses,
    });
    let months: Vec<_> = months.collect();
    let parts: Vec<_> = quotas.iter().zip(&features).collect();
    let offers =
        pairs(&outlook.offers, &parts, |own, (quotas, features)| offer(own, quotas, features))?;
    let question = advice::Outlook {
        subject: outlook.subject.as_str(),
        readings: &shown(&readings, &names)?,
        months: &months,
        plan: outlook.plan.as_ref().map(|plan| plan.as_str()),
        billing_cycle: outlook.billing_cycle.as_str(),
        offers: &offers,
    };
    let bytes = input_bytes(&readings) + ENTRY_BYTES * entries(outlook);
    let answer = instance.call(bytes, |guest, store| {
        guest.advice.as_ref().map(|it| it.call_advise(store, question)).transpose()
    })?;
    let read = |advice| answer::recommendation(advice, outlook);
    Ok(each("recommendations", answer.unwrap_or_default(), read)?)
}

/// The lists inside a use.
struct UseLists<'a> {
    usage: Vec<types::MeasureParam<'a>>,
    alternatives: Vec<advice::Alternative<'a>>,
}

impl<'a> UseLists<'a> {
    fn of(used: &'a ModelUse) -> Result<Self, Fault> {
        let usage = used.usage.iter().map(|(quantity, amount)| types::MeasureParam {
            quantity: QuantityName::as_str(quantity),
            amount: from_count(amount),
        });
        Ok(Self { usage: usage.collect(), alternatives: lists(&used.alternatives, alternative)? })
    }
}

/// What an offered quota's form borrows.
struct QuotaLists {
    window: String,
    used: Vec<types::Decimal>,
}

impl QuotaLists {
    fn of(quota: &OfferedQuota) -> Result<Self, Fault> {
        let used = lists(&quota.used, |used| from_amount(*used))?;
        Ok(Self { window: quota.window.to_string(), used })
    }
}

fn model(name: &ModelName) -> advice::ModelParam<'_> {
    advice::ModelParam {
        provider: name.provider.as_str(),
        model: name.model.as_ref().map(|model| model.as_str()),
    }
}

fn alternative(own: &Alternative) -> Result<advice::Alternative<'_>, Fault> {
    Ok(advice::Alternative { by: model(&own.by), cost: from_amount(own.cost.0)? })
}

fn model_use<'a>(
    used: &'a ModelUse,
    lists: &'a UseLists<'a>,
) -> Result<advice::ModelUse<'a>, Fault> {
    Ok(advice::ModelUse {
        of: model(&used.of),
        events: from_count(used.events),
        usage: &lists.usage,
        cost: from_amount(used.cost.0)?,
        today: used.today.map(|cost| from_amount(cost.0)).transpose()?,
        alternatives: &lists.alternatives,
    })
}

fn quota<'a>(
    own: &'a OfferedQuota,
    lists: &'a QuotaLists,
) -> Result<advice::OfferedQuota<'a>, Fault> {
    Ok(advice::OfferedQuota {
        name: own.name.as_str(),
        meter: own.meter.as_str(),
        window: &lists.window,
        limit: own.limit.map(from_amount).transpose()?,
        used: &lists.used,
    })
}

fn offer<'a>(
    own: &'a Offer,
    quotas: &'a [advice::OfferedQuota<'a>],
    features: &'a [&'a str],
) -> Result<advice::Offer<'a>, Fault> {
    Ok(advice::Offer {
        plan: own.plan.as_str(),
        name: &own.name,
        price_monthly: from_amount(own.price_monthly.0)?,
        price_yearly: from_amount(own.price_yearly.0)?,
        features,
        sells_all_used: own.sells_all_used,
        quotas,
    })
}

fn lists<'a, T, U>(
    all: &'a [T],
    form: impl Fn(&'a T) -> Result<U, Fault>,
) -> Result<Vec<U>, Fault> {
    all.iter().map(form).collect()
}

fn pairs<'a, T, L, U>(
    all: &'a [T],
    inner: &'a [L],
    form: impl Fn(&'a T, &'a L) -> Result<U, Fault>,
) -> Result<Vec<U>, Fault> {
    all.iter().zip(inner).map(|(own, inner)| form(own, inner)).collect()
}

fn entries(outlook: &Outlook) -> u64 {
    let of_use = |used: &ModelUse| 2 + used.usage.iter().count() + used.alternatives.len();
    let uses = outlook.months.iter().flat_map(|month| &month.uses).map(of_use);
    let offers = outlook.offers.iter().map(|it| 2 + it.features.len() + 2 * it.quotas.len());
    uses.chain(offers).sum::<usize>() as u64
}
