//! What a level is advised on: its last two months by model, what they would have cost with others,
//! and what they would have been under each plan. Policies say what is comparable and what is worth
//! saying.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use tollgate_domain::{
    BillingCycle, Call, Charge, Metadata, Plan, PlanBook, Quota, Quote, Reading, Span, SubjectId,
    Timestamp, Usage, Usd, Window,
};
use tollgate_engine::{
    ModelName, ModelUse, MonthOfUse, Offer, OfferedQuota, Outlook, Payer, PolicySet, Recommendation,
};
use tollgate_ledger::{Cell, MonthUsage};

use super::{Error, Service};

/// Of a month no more models are compared than these, the dearest.
const MODELS_MAX: usize = 8;

/// No more plans are offered than these, the cheapest; and that which is in force.
const OFFERS_MAX: usize = 32;

/// Where a level stands.
pub(super) struct Standing<'a> {
    pub subject: &'a SubjectId,
    pub readings: Vec<Reading>,
    pub plan: Option<Arc<Plan>>,
    pub billing_cycle: BillingCycle,
    /// The newest last: of these the last two are looked at.
    pub months: &'a [MonthUsage],
    pub at: Timestamp,
}

impl Service {
    /// What alert policies advise a level: asked on a thread that serves no connection, since
    /// pricing what there is to compare takes some calls.
    pub(super) async fn advice(
        &self,
        set: &Arc<PolicySet>,
        standing: Standing<'_>,
    ) -> Result<Vec<Recommendation>, Error> {
        let payer = self.payer(set, standing.subject).await?;
        let (set, at, plan) = (set.clone(), standing.at, standing.plan.clone());
        let outlook = outlook(standing, set.plans());
        let advice = spawn_blocking(move || {
            let desk = Desk { set: &set, payer: &payer, subject: &outlook.subject, at };
            let price = |used: &ModelUse, by: &ModelName| {
                let sold = |plan: &Arc<Plan>| plan.sells(&by.provider);
                let may_serve = used.of == *by || plan.as_ref().is_none_or(sold);
                may_serve.then(|| desk.price(used, by)).flatten()
            };
            set.alerter().recommend(&outlook, price)
        });
        advice.await.map_err(|error| Error::BrokeDown(error.to_string()))
    }
}

fn outlook(standing: Standing<'_>, plans: &PlanBook) -> Outlook {
    let Standing { subject, readings, plan, billing_cycle, months, at } = standing;
    let months: Vec<_> = months.iter().rev().take(2).collect();
    Outlook {
        subject: subject.clone(),
        readings,
        months: months.iter().map(|month| month_of_use(month, at)).collect(),
        plan: plan.as_ref().map(|plan| plan.id.clone()),
        billing_cycle,
        offers: offers(plans, plan.as_ref(), &months),
    }
}

fn month_of_use(month: &MonthUsage, at: Timestamp) -> MonthOfUse {
    let used = month.usage.table.cells().iter().filter(|cell| cell.totals.events > 0);
    let mut uses: Vec<_> = used.filter_map(model_use).collect();
    uses.sort_by_key(|used| std::cmp::Reverse(used.cost));
    uses.truncate(MODELS_MAX);
    let passed_percent = passed_percent(&month.usage.span, at);
    MonthOfUse { period: month.period.clone(), passed_percent, uses }
}

/// `None` where corrections have left what no call can have used.
fn model_use(cell: &Cell) -> Option<ModelUse> {
    let totals = &cell.totals;
    let quantities = totals.quantities().map(|(name, amount)| (name.clone(), amount));
    Some(ModelUse {
        of: ModelName { provider: cell.provider.clone(), model: cell.model.clone() },
        events: totals.events,
        usage: Usage::new(quantities).ok()?,
        cost: totals.cost,
        today: None,
        alternatives: Vec::new(),
    })
}

fn passed_percent(span: &Span, at: Timestamp) -> u32 {
    let Some(end) = span.end else { return 0 };
    let whole = end.since(span.start).as_micros().max(1);
    let passed = at.since(span.start).as_micros().min(whole);
    u32::try_from(passed * 100 / whole).unwrap_or(100)
}

/// The cheapest first.
fn offers(plans: &PlanBook, own: Option<&Arc<Plan>>, months: &[&MonthUsage]) -> Vec<Offer> {
    let mut all: Vec<_> = plans.iter().collect();
    all.sort_by_key(|plan| plan.price_monthly);
    let is_own = |plan: &&Arc<Plan>| own.is_some_and(|own| own.id == plan.id);
    let first = all.iter().take(OFFERS_MAX);
    let beyond = all.iter().skip(OFFERS_MAX).filter(|plan| is_own(plan));
    first.chain(beyond).map(|plan| offer(plan, months)).collect()
}

fn offer(plan: &Plan, months: &[&MonthUsage]) -> Offer {
    let mut cells = months.iter().flat_map(|month| month.usage.table.cells());
    let quota = |quota: &Quota| OfferedQuota {
        name: quota.name.clone(),
        meter: quota.meter.clone(),
        window: quota.window,
        limit: quota.limit,
        used: match quota.window {
            Window::Month => months.iter().map(|month| month.usage.table.read(quota)).collect(),
            _ => Vec::new(),
        },
    };
    Offer {
        plan: plan.id.clone(),
        name: plan.name.clone(),
        price_monthly: plan.price_monthly,
        price_yearly: plan.price_yearly,
        features: plan.features.clone(),
        sells_all_used: cells.all(|cell| cell.totals.events == 0 || plan.sells(&cell.provider)),
        quotas: plan.quotas.iter().map(quota).collect(),
    }
}

/// Where a month's use is priced again.
struct Desk<'a> {
    set: &'a PolicySet,
    payer: &'a Payer,
    subject: &'a SubjectId,
    at: Timestamp,
}

impl Desk<'_> {
    /// What a month's use costs with a model, of as many calls of equal size: a price may depend on
    /// how large a call is, and a month is no call.
    fn price(&self, used: &ModelUse, by: &ModelName) -> Option<Usd> {
        let total = self.quote(&used.usage, by)?;
        if used.events < 2 {
            return Some(total.cost);
        }
        let one = self.quote(&one_of(used)?, by)?;
        cost_at(&total, &one)
    }

    fn quote(&self, usage: &Usage, by: &ModelName) -> Option<Quote> {
        let call = Call {
            subject: self.subject.clone(),
            provider: by.provider.clone(),
            model: by.model.clone(),
            endpoint: None,
            usage: usage.clone(),
            max_tokens: None,
            features: Vec::new(),
            service_tier: None,
            region: None,
            metadata: Metadata::new(),
        };
        self.set.price(&call, self.at, self.payer).ok().flatten()
    }
}

/// What one of so many calls used. Rounded down, parts stay within their totals.
fn one_of(used: &ModelUse) -> Option<Usage> {
    let one = used.usage.iter().map(|(name, amount)| (name.clone(), amount / used.events));
    Usage::new(one).ok()
}

/// What is charged for in all, at the prices that one of the calls has.
fn cost_at(total: &Quote, one: &Quote) -> Option<Usd> {
    total.charges.iter().try_fold(Usd::ZERO, |sum, charge| {
        let same = |other: &&Charge| is_same(charge, other);
        let unit_price =
            one.charges.iter().find(same).map_or(charge.unit_price, |it| it.unit_price);
        let cost = match charge.amount.to_count() {
            Some(count) if unit_price != charge.unit_price => {
                Usd(unit_price.0.checked_times(count)?)
            }
            _ => charge.cost,
        };
        sum.checked_add(cost)
    })
}

fn is_same(a: &Charge, b: &Charge) -> bool {
    a.quantity == b.quantity && a.side == b.side
}

#[cfg(test)]
mod tests {
    use tollgate_domain::Side;

    use super::*;

    fn quote(charges: &[(&str, u64, &str)]) -> Quote {
        let charges = charges.iter().map(|&(quantity, amount, unit_price)| {
            let unit_price: Usd = unit_price.parse().unwrap();
            Charge {
                quantity: quantity.parse().unwrap(),
                amount: amount.into(),
                unit_price,
                cost: Usd(unit_price.0.checked_times(amount).unwrap()),
                side: Side::Input,
            }
        });
        Quote::new("m".into(), charges.collect()).unwrap()
    }

    #[test]
    fn a_month_of_small_calls_is_not_priced_as_one_large_call() {
        // Above 200,000 tokens the model costs twice as much; no call came near that.
        let total = quote(&[("input_tokens", 1_000_003, "0.000002"), ("searches", 7, "0.01")]);
        let one = quote(&[("input_tokens", 1_000, "0.000001")]);
        assert_eq!(cost_at(&total, &one).unwrap().to_string(), "1.070003");
        assert_eq!(cost_at(&total, &total).unwrap(), total.cost);
    }

    #[test]
    fn a_month_has_passed_to_a_percentage() {
        let span =
            Span { start: Timestamp::from_micros(0), end: Some(Timestamp::from_micros(1_000)) };
        for (at, percent) in [(0, 0), (9, 0), (10, 1), (999, 99), (1_000, 100), (5_000, 100)] {
            assert_eq!(passed_percent(&span, Timestamp::from_micros(at)), percent, "{at}");
        }
    }
}
