//! The policies that are active together.

use std::sync::Arc;

use tollgate_domain::{
    Call, Estimate, ExpectedCost, Extraction, Listing, PlanBook, PlanBookError, ProviderId, Quote,
    Timestamp,
};

use crate::alerter::Alerter;
use crate::candidate::AnyPolicy;
use crate::digest::Digest;
use crate::fault::Fault;
use crate::instance::Instance;
use crate::judge::Judge;
use crate::kinds::{self, Adjustments, Alerts, Answer, Claim, Payer, Pricing, Rejected, Tiers};
use crate::policy::{Handle, Policy};
use crate::status::PolicyInfo;

/// One immutable set of policies. A request takes it once and keeps it, so that no call is ever
/// decided by half of one set and half of the next.
pub struct PolicySet {
    revision: String,
    activated_at: Timestamp,
    plans: PlanBook,
    tiers: Vec<Arc<Policy<Tiers>>>,
    /// The highest priority first; the name decides between equals.
    pricing: Vec<Arc<Policy<Pricing>>>,
    alerts: Vec<Arc<Policy<Alerts>>>,
    /// In the order in which they change a price: the highest priority first.
    adjustments: Vec<Arc<Policy<Adjustments>>>,
    /// All of them, in the order of their names.
    members: Vec<AnyPolicy>,
}

impl PolicySet {
    /// `members` in the order of their names, `plans` those of all tier policies among them.
    pub(crate) fn new(members: Vec<AnyPolicy>, plans: PlanBook, activated_at: Timestamp) -> Self {
        let (mut tiers, mut pricing, mut alerts) = (Vec::new(), Vec::new(), Vec::new());
        let mut adjustments = Vec::new();
        for member in &members {
            member.card().activated_at.get_or_init(|| activated_at);
            match member {
                AnyPolicy::Tier(policy) => tiers.push(policy.clone()),
                AnyPolicy::Pricing(policy) => pricing.push(policy.clone()),
                AnyPolicy::Alert(policy) => alerts.push(policy.clone()),
                AnyPolicy::Adjustment(policy) => adjustments.push(policy.clone()),
            }
        }
        pricing.sort_by_key(|policy| std::cmp::Reverse(policy.card.manifest.priority));
        adjustments.sort_by_key(|policy: &Arc<Policy<Adjustments>>| {
            std::cmp::Reverse(policy.card.manifest.priority)
        });
        let revision = revision(&members);
        Self { revision, activated_at, plans, tiers, pricing, alerts, adjustments, members }
    }

    /// What tells this set from every other: a digest over the names and bytes of its policies.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    pub fn activated_at(&self) -> Timestamp {
        self.activated_at
    }

    pub fn plans(&self) -> &PlanBook {
        &self.plans
    }

    /// What a call will probably use and cost. Where nobody prices it, the usage is as stated and
    /// the cost is not known.
    pub fn estimate(
        &self,
        call: &Call,
        at: Timestamp,
        payer: &Payer,
    ) -> Result<Estimate, Rejected> {
        let applies = |policy: &Policy<Pricing>| policy.card.manifest.applies_to.call(call);
        let estimate = self.first_answer(&call.provider, applies, |instance| {
            kinds::estimate(instance, call, at)
        })?;
        let unpriced = || Estimate { usage: call.usage.clone(), cost: ExpectedCost::Unpriced };
        let mut estimate = estimate.unwrap_or_else(unpriced);
        if estimate.cost.known().is_some() && !self.adjustments.is_empty() {
            // What is changed are the lines of a bill, which an estimate may not have.
            let call = Call { usage: estimate.usage, ..call.clone() };
            let quote = self.price(&call, at, payer)?;
            let cost = quote.map_or(ExpectedCost::Unpriced, |it| ExpectedCost::Known(it.cost));
            estimate = Estimate { usage: call.usage, cost };
        }
        Ok(estimate)
    }

    /// The price of what a call used; `None` where nobody prices it, or where a policy that
    /// changes prices failed: what the base price alone says is not what was agreed.
    pub fn price(
        &self,
        call: &Call,
        at: Timestamp,
        payer: &Payer,
    ) -> Result<Option<Quote>, Rejected> {
        let applies = |policy: &Policy<Pricing>| policy.card.manifest.applies_to.call(call);
        let base = self
            .first_answer(&call.provider, applies, |instance| kinds::price(instance, call, at))?;
        let Some(mut quote) = base else { return Ok(None) };
        for policy in &self.adjustments {
            if !policy.card.manifest.applies_to.call(call) {
                continue;
            }
            let adjusted = Handle::new(policy)
                .call(|instance| kinds::adjust(instance, call, at, payer, &quote));
            match adjusted {
                Ok(adjusted) => quote = adjusted?,
                Err(_) => return Ok(None),
            }
        }
        Ok(Some(quote))
    }

    /// Whether prices depend on who pays.
    pub fn asks_who_pays(&self) -> bool {
        self.adjustments.iter().any(|policy| policy.terms.asks_who_pays)
    }

    /// The usage in a provider's raw answer, a JSON object or a list of a stream's chunks; `None`
    /// where no policy knows that provider and flavor.
    pub fn extract(
        &self,
        provider: &ProviderId,
        flavor: &str,
        response: &str,
    ) -> Result<Option<Extraction>, Rejected> {
        let applies =
            |policy: &Policy<Pricing>| policy.card.manifest.applies_to.provider(Some(provider));
        self.first_answer(provider, applies, |instance| {
            kinds::extract(instance, provider, flavor, response)
        })
    }

    /// The price list of all pricing policies, in the order in which they are asked.
    pub fn catalog(&self) -> Vec<Listing> {
        let listings = self.pricing.iter().flat_map(|policy| {
            let applies = &policy.card.manifest.applies_to;
            policy.terms.listings.iter().filter(|line| applies.provider(Some(&line.provider)))
        });
        listings.cloned().collect()
    }

    /// Everything the tier policies need to judge one call, at hand before any lock is taken.
    pub fn judge(&self) -> Judge {
        Judge::new(&self.tiers)
    }

    /// The same for alert policies.
    pub fn alerter(&self) -> Alerter {
        Alerter::new(&self.alerts)
    }

    pub(crate) fn members(&self) -> &[AnyPolicy] {
        &self.members
    }

    pub(crate) fn info(&self) -> Vec<PolicyInfo> {
        self.members.iter().map(|member| PolicyInfo::new(member.card())).collect()
    }

    /// Asks those who claim the provider by name, then those who price any, until one answers.
    /// One that fails is counted and passed over.
    fn first_answer<T>(
        &self,
        provider: &ProviderId,
        applies: impl Fn(&Policy<Pricing>) -> bool,
        ask: impl Fn(&mut Instance<Pricing>) -> Result<Answer<T>, Fault>,
    ) -> Answer<T> {
        for claim in [Claim::Exact, Claim::Any] {
            for policy in &self.pricing {
                if policy.terms.claim(provider) != Some(claim) || !applies(policy) {
                    continue;
                }
                match Handle::new(policy).call(&ask) {
                    Ok(Ok(None)) | Err(_) => {}
                    Ok(answer) => return answer,
                }
            }
        }
        Ok(None)
    }
}

/// The book of all plans, or whom to blame for that there is none: the position of the first
/// member whose plans do not go together with those before it.
pub(crate) fn plan_book<'a>(
    members: impl IntoIterator<Item = &'a AnyPolicy>,
) -> Result<PlanBook, (usize, PlanBookError)> {
    let mut book = PlanBook::default();
    for (i, member) in members.into_iter().enumerate() {
        let AnyPolicy::Tier(policy) = member else { continue };
        for (plan, is_default) in &policy.terms {
            book.insert(plan.clone(), *is_default).map_err(|error| (i, error))?;
        }
    }
    Ok(book)
}

/// Names cannot contain a zero byte and digests have one length, so no two sets share a text.
pub(crate) fn revision(members: &[AnyPolicy]) -> String {
    let mut text = Vec::new();
    for card in members.iter().map(AnyPolicy::card) {
        text.extend_from_slice(card.manifest.name.as_bytes());
        text.push(0);
        text.extend_from_slice(card.manifest.digest.as_bytes());
        text.extend_from_slice(card.plugin.digest.as_bytes());
    }
    let mut revision = Digest::of(&text).to_string();
    revision.truncate(32);
    revision
}
