//! Which plan fits better.

use tollgate_plugin::Decimal;
use tollgate_plugin::advice::{Advice, Offer, OfferedQuota, Outlook};
use tollgate_plugin::alert::Reading;

use crate::words;

/// A plan for somebody who nears limits of theirs: the cheapest that leaves room enough, or else the
/// cheapest that holds the use at all.
pub(crate) fn larger(outlook: &Outlook, from_percent: u32) -> Option<Advice> {
    let is_near = |it: &&Reading| it.after.reaches_percent(from_percent, it.limit);
    let near: Vec<_> = outlook.readings.iter().filter(is_near).collect();
    if near.is_empty() {
        return None;
    }
    let standing = words::standings(near.iter().copied());
    let Some(own) = outlook.own() else { return Some(words::larger_plan(&near)) };
    let relieves = |offer: &&Offer| near.iter().all(|reading| relieves(offer, reading));
    let cheapest = |percent| {
        let others = outlook.offers.iter().filter(|it| it.plan != own.plan);
        let fitting = others.filter(relieves).filter(|it| fits(it, own, |_| percent));
        fitting.min_by_key(|it| outlook.price(it))
    };
    let subject = &outlook.subject;
    let Some(offer) = cheapest(from_percent.min(100)).or_else(|| cheapest(100)) else {
        let message = format!("{subject} on the plan {} used {standing}.", own.plan);
        return Some(Advice::new("no_larger_plan", "No larger plan is on sale", message));
    };
    let kind = match outlook.price(offer) > outlook.price(own) {
        true => "upgrade_plan",
        false => "switch_plan",
    };
    let message = format!(
        "{subject} on the plan {} used {standing}. {} has room for that, for {}.",
        own.plan,
        offer.name,
        price(outlook, offer)
    );
    let title = format!("Consider the plan {}", offer.name);
    Some(Advice { plan: Some(offer.plan.clone()), ..Advice::new(kind, title, message) })
}

/// A cheaper plan for somebody who would have kept below so many percent of its limits, all of the
/// month that has passed and, at this rate, the one that runs too.
pub(crate) fn smaller(outlook: &Outlook, below_percent: u32) -> Option<Advice> {
    let own = outlook.own()?;
    let [running, .., passed] = &outlook.months[..] else { return None };
    if passed.uses.is_empty() {
        return None;
    }
    let percent_in = |month: usize| match outlook.months[month].passed_percent {
        100.. => below_percent,
        part => (below_percent.saturating_mul(part) / 100).max(1),
    };
    let cheaper = outlook.offers.iter().filter(|it| outlook.price(it) < outlook.price(own));
    let fitting = cheaper.filter(|it| fits(it, own, percent_in));
    let offer = fitting.min_by_key(|it| outlook.price(it))?;
    let saving = outlook.price(own).minus(outlook.price(offer)).ok()?;
    let used: Vec<_> = offer.quotas.iter().filter_map(standing).collect();
    let used = match &used[..] {
        [] => String::new(),
        used => format!(": at most {}", used.join("; ")),
    };
    let lost = own.features.iter().filter(|feature| !offer.features.contains(feature));
    let lost: Vec<_> = lost.map(String::as_str).collect();
    let lost = match &lost[..] {
        [] => String::new(),
        lost => format!(" It has no {}.", lost.join(", ")),
    };
    let message = format!(
        "{} pays {} for {}. {}, for {}, would have been enough in {} and so far in {}{used}.{lost}",
        outlook.subject,
        price(outlook, own),
        own.name,
        offer.name,
        price(outlook, offer),
        passed.period,
        running.period,
    );
    let title = format!("The plan {} would do", offer.name);
    Some(Advice {
        plan: Some(offer.plan.clone()),
        saving: Some(saving),
        ..Advice::new("downgrade_plan", title, message)
    })
}

/// Whether the use of each month keeps below so many percent of a plan's limits. What is not kept
/// of a use, by the minute or the day, must not be limited more than it is now.
fn fits(offer: &Offer, own: &Offer, percent_in: impl Fn(usize) -> u32) -> bool {
    offer.sells_all_used
        && offer.quotas.iter().all(|quota| {
            let Some(limit) = quota.limit else { return true };
            match &quota.used[..] {
                [] => of(own, &quota.name)
                    .is_some_and(|own| own.window == quota.window && own.limit <= Some(limit)),
                used => (0..).zip(used).all(|(month, used)| {
                    used.is_zero() || !used.reaches_percent(percent_in(month), limit)
                }),
            }
        })
}

/// Whether a plan allows more of what is nearly used up.
fn relieves(offer: &Offer, reading: &Reading) -> bool {
    let limit = of(offer, &reading.quota).map(|quota| quota.limit);
    limit.is_none_or(|limit| limit.is_none_or(|limit| limit > reading.limit))
}

fn of<'o>(offer: &'o Offer, quota: &str) -> Option<&'o OfferedQuota> {
    offer.quotas.iter().find(|own| own.name == quota && own.limit.is_some())
}

/// For instance `120 of 1000 calls (gemini_calls)`, of the month in which most was used.
fn standing(quota: &OfferedQuota) -> Option<String> {
    let limit = quota.limit?;
    let most = quota.used.iter().max().filter(|used| !used.is_zero())?;
    Some(format!("{most} of {limit} {} ({})", words::unit(&quota.meter), quota.name))
}

fn price(outlook: &Outlook, offer: &Offer) -> String {
    let price: Decimal = outlook.price(offer);
    match outlook.billing_cycle.as_str() {
        "yearly" => format!("{price} USD a year"),
        _ => format!("{price} USD a month"),
    }
}
