//! Readings and outlooks on which an alert policy is tried before it is active.

use tollgate_domain::{Amount, BillingCycle, Meter, Reading, Usage, Usd, Window};

use super::outlook::{ModelName, ModelUse, MonthOfUse, Offer, OfferedQuota, Outlook};

/// Calls and dollars, in every relation to a limit of 200.
pub(super) fn readings() -> Vec<Reading> {
    let meters = ["calls", "tokens", "cost"].map(|meter| meter.parse::<Meter>());
    let standings = [(0, 0), (0, 159), (159, 160), (160, 180), (180, 199), (199, 200), (200, 400)];
    let mut readings = Vec::new();
    for meter in meters.into_iter().flatten() {
        for (before, after) in standings {
            readings.extend(reading(&meter, before, after, Vec::new()));
            readings.extend(reading(&meter, before, after, vec![80, 90, 100]));
        }
    }
    readings
}

fn reading(meter: &Meter, before: u64, after: u64, raised: Vec<u32>) -> Option<Reading> {
    Some(Reading {
        subject: "probe/leaf".parse().ok()?,
        plan: "free".parse().ok()?,
        quota: "probe".parse().ok()?,
        meter: meter.clone(),
        provider: "gemini".parse().ok(),
        window: Window::Month,
        limit: Amount::from(200),
        before: before.into(),
        after: after.into(),
        raised,
    })
}

/// Two months of two models, and two plans of which one is left behind.
pub(super) fn outlook() -> Option<Outlook> {
    let months = [("2026-05", 50, 100), ("2026-04", 100, 300)];
    let months = months.into_iter().map(|(period, passed_percent, events)| {
        let uses = [model_use("gemini-2.5-pro", events), model_use("gpt-4o", events)];
        let uses = uses.into_iter().collect::<Option<Vec<_>>>()?;
        Some(MonthOfUse { period: period.parse().ok()?, passed_percent, uses })
    });
    let months = months.collect::<Option<Vec<_>>>()?;
    let offers = [offer("free", 0, 200), offer("pro", 79, 20_000)];
    let offers = offers.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Outlook {
        subject: "probe/leaf".parse().ok()?,
        readings: readings(),
        months,
        plan: "free".parse().ok(),
        billing_cycle: BillingCycle::Monthly,
        offers,
    })
}

fn model_use(model: &str, events: u64) -> Option<ModelUse> {
    let usage = [("calls", events), ("input_tokens", 1_000 * events), ("output_tokens", events)];
    let usage = usage.into_iter().map(|(name, amount)| Some((name.parse().ok()?, amount)));
    Some(ModelUse {
        of: ModelName { provider: "gemini".parse().ok()?, model: model.parse().ok() },
        events,
        usage: Usage::new(usage.collect::<Option<Vec<_>>>()?).ok()?,
        cost: Usd(Amount::from(events)),
        today: None,
        alternatives: Vec::new(),
    })
}

fn offer(plan: &str, price: u64, limit: u64) -> Option<Offer> {
    Some(Offer {
        plan: plan.parse().ok()?,
        name: plan.to_owned(),
        price_monthly: Usd(price.into()),
        price_yearly: Usd((10 * price).into()),
        features: Vec::new(),
        sells_all_used: true,
        quotas: vec![OfferedQuota {
            name: "probe".parse().ok()?,
            meter: "calls".parse().ok()?,
            window: Window::Month,
            limit: Some(limit.into()),
            used: vec![200.into(), 600.into()],
        }],
    })
}
