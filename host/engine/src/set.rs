//! The policies that are active together.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_domain::{
    Call, Estimate, ExpectedCost, Extraction, Listing, PlanBook, PlanBookError, PlanId, ProviderId,
    Quote, SubjectPath, Timestamp,
};

use crate::alerter::Alerter;
use crate::beside::{Beside, Seat};
use crate::candidate::AnyPolicy;
use crate::crowd::Crowd;
use crate::digest::Digest;
use crate::fault::Fault;
use crate::history::{Member, Record};
use crate::judge::Judge;
use crate::kinds::{Adjustments, Alerts, Answer, Average, Claim, Payer, Pricing, Rejected, Tiers};
use crate::policy::{Handle, Policy};
use crate::question::{Adjust, Expect, Extract, Price};
use crate::reckoner;
use crate::status::PolicyInfo;

/// One immutable set of policies. A request takes it once and keeps it, so that no call is ever
/// decided by half of one set and half of the next.
pub struct PolicySet {
    revision: String,
    activated_at: Timestamp,
    plans: PlanBook,
    tiers: Vec<Seat<Tiers>>,
    crowd: Crowd,
    /// The highest priority first; the name decides between equals.
    pricing: Vec<Seat<Pricing>>,
    alerts: Vec<Seat<Alerts>>,
    /// In the order in which they change a price: the highest priority first.
    adjustments: Vec<Seat<Adjustments>>,
    /// All of them, in the order of their names.
    members: Vec<AnyPolicy>,
    /// Those that run beside, as shadows or canaries.
    candidates: Vec<AnyPolicy>,
    /// The sets that decide for less than so many percent of the subjects instead, the smallest
    /// part first.
    arms: Vec<(u32, Arc<PolicySet>)>,
}

impl PolicySet {
    /// `members` in the order of their names, `plans` those of all tier policies among them;
    /// `beside` has the versions that are compared, by the name of the policy.
    pub(crate) fn new(
        members: Vec<AnyPolicy>,
        plans: PlanBook,
        activated_at: Timestamp,
        beside: &BTreeMap<String, Arc<Beside>>,
    ) -> Self {
        let (mut tiers, mut pricing, mut alerts) = (Vec::new(), Vec::new(), Vec::new());
        let mut adjustments = Vec::new();
        for member in &members {
            member.card().activated_at.get_or_init(|| activated_at);
            let beside = beside.get(member.name()).cloned();
            match member.clone() {
                AnyPolicy::Tier(policy) => tiers.push(Seat { policy, beside }),
                AnyPolicy::Pricing(policy) => pricing.push(Seat { policy, beside }),
                AnyPolicy::Alert(policy) => alerts.push(Seat { policy, beside }),
                AnyPolicy::Adjustment(policy) => adjustments.push(Seat { policy, beside }),
            }
        }
        pricing.sort_by_key(|seat| Reverse(seat.policy.card.manifest.priority));
        adjustments.sort_by_key(|seat| Reverse(seat.policy.card.manifest.priority));
        let revision = revision(&members);
        Self {
            revision,
            activated_at,
            plans,
            crowd: Crowd::new(&tiers),
            tiers,
            pricing,
            alerts,
            adjustments,
            members,
            candidates: Vec::new(),
            arms: Vec::new(),
        }
    }

    /// Puts candidates beside it, and the sets that decide for a part of the subjects.
    pub(crate) fn with_candidates(
        self,
        candidates: Vec<AnyPolicy>,
        arms: Vec<(u32, Arc<Self>)>,
    ) -> Self {
        Self { candidates, arms, ..self }
    }

    /// The set that decides for a subject: this one, but where a canary does. Every subject of a
    /// tenant has the same, for as long as the percentages are.
    pub fn for_subject(self: Arc<Self>, subject: &SubjectPath) -> Arc<Self> {
        if self.arms.is_empty() {
            return self;
        }
        let share = share_of(subject);
        let arm = self.arms.iter().find(|(percent, _)| share < *percent);
        arm.map_or(self.clone(), |(_, set)| set.clone())
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
        average: &Average,
    ) -> Result<Estimate, Rejected> {
        let applies = |policy: &Policy<Pricing>| policy.card.manifest.applies_to.call(call);
        let asked = Expect { call, at, average };
        let ask = |seat: &Seat<Pricing>| reckoner::ask(seat, &asked);
        let estimate = self.first_answer(&call.provider, applies, ask)?;
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
        let ask = |seat: &Seat<Pricing>| reckoner::ask(seat, &Price { call, at });
        let base = self.first_answer(&call.provider, applies, ask)?;
        let Some(mut quote) = base else { return Ok(None) };
        for seat in &self.adjustments {
            if !seat.policy.card.manifest.applies_to.call(call) {
                continue;
            }
            let adjusted = Handle::new(seat).call(&Adjust { call, at, payer, quote: &quote });
            match adjusted {
                Ok(Ok(Some(adjusted))) => quote = adjusted,
                Ok(Err(rejected)) => return Err(rejected),
                Ok(Ok(None)) | Err(_) => return Ok(None),
            }
        }
        Ok(Some(quote))
    }

    /// Whether prices depend on who pays.
    pub fn asks_who_pays(&self) -> bool {
        self.adjustments.iter().any(|seat| seat.policy.terms.asks_who_pays)
    }

    /// Whether estimates depend on what the subject used lately.
    pub fn asks_average(&self) -> bool {
        self.pricing.iter().any(|seat| seat.policy.terms.asks_average)
    }

    /// The usage in a provider's raw answer, a JSON object or a list of a stream's chunks; `None`
    /// where no policy knows that provider and flavor. `subject` is whose call it was, if that is
    /// known.
    pub fn extract(
        &self,
        provider: &ProviderId,
        flavor: &str,
        response: &str,
        subject: Option<&SubjectPath>,
    ) -> Result<Option<Extraction>, Rejected> {
        let applies =
            |policy: &Policy<Pricing>| policy.card.manifest.applies_to.provider(Some(provider));
        let asked = Extract { provider, flavor, response, subject };
        self.first_answer(provider, applies, |seat| Handle::new(seat).call(&asked))
    }

    /// The price list of all pricing policies, in the order in which they are asked.
    pub fn catalog(&self) -> Vec<Listing> {
        let listings = self.pricing.iter().flat_map(|Seat { policy, .. }| {
            let applies = &policy.card.manifest.applies_to;
            policy.terms.listings.iter().filter(|line| applies.provider(Some(&line.provider)))
        });
        listings.cloned().collect()
    }

    /// The policy in whose configuration a plan belongs: the one that has it, or else the first
    /// that has any.
    pub fn planner(&self, plan: &PlanId) -> Option<&str> {
        let mut tiers = self.tiers.iter().map(|seat| &seat.policy);
        let has = |policy: &&Arc<Policy<Tiers>>| {
            policy.terms.plans.iter().any(|(own, _)| own.id == *plan)
        };
        let first =
            || self.tiers.iter().map(|seat| &seat.policy).find(|p| !p.terms.plans.is_empty());
        Some(&tiers.find(has).or_else(first)?.card.manifest.name)
    }

    /// The policy in whose configuration a price belongs, the first of those that would be asked;
    /// and the name of the list that it belongs in.
    pub fn pricer(&self, provider: &ProviderId) -> Option<(&str, &'static str)> {
        let pricing = || self.pricing.iter().map(|seat| &seat.policy);
        let asked = |claim| {
            pricing().find(|policy| {
                policy.terms.claim(provider) == Some(claim)
                    && policy.card.manifest.applies_to.provider(Some(provider))
            })
        };
        let any = || pricing().find(|policy| !policy.terms.listings.is_empty());
        let policy = asked(Claim::Exact).or_else(|| asked(Claim::Any)).or_else(any)?;
        let list = if policy.terms.takes_overrides { "overrides" } else { "prices" };
        Some((&policy.card.manifest.name, list))
    }

    /// Everything the tier policies need to judge one call, at hand before any lock is taken.
    pub fn judge(&self, call: &Call) -> Judge {
        let concerned = self.crowd.of(&call.provider).iter().map(|at| &self.tiers[*at]);
        Judge::new(concerned, call)
    }

    /// The same for alert policies.
    pub fn alerter(&self) -> Alerter {
        Alerter::new(&self.alerts)
    }

    pub(crate) fn members(&self) -> &[AnyPolicy] {
        &self.members
    }

    pub(crate) fn candidates(&self) -> &[AnyPolicy] {
        &self.candidates
    }

    pub(crate) fn info(&self) -> Vec<PolicyInfo> {
        let all = self.members.iter().chain(&self.candidates);
        all.map(|policy| PolicyInfo::new(policy.card())).collect()
    }

    /// Asks those who claim the provider by name, then those who price any, until one answers.
    /// One that fails is counted and passed over.
    fn first_answer<T>(
        &self,
        provider: &ProviderId,
        applies: impl Fn(&Policy<Pricing>) -> bool,
        ask: impl Fn(&Seat<Pricing>) -> Result<Answer<T>, Fault>,
    ) -> Answer<T> {
        for claim in [Claim::Exact, Claim::Any] {
            for seat in &self.pricing {
                let policy = &seat.policy;
                if policy.terms.claim(provider) != Some(claim) || !applies(policy) {
                    continue;
                }
                match ask(seat) {
                    Ok(Ok(None)) | Err(_) => {}
                    Ok(answer) => return answer,
                }
            }
        }
        Ok(None)
    }
}

/// Where a tenant falls between 0 and 99: the same for ever.
fn share_of(subject: &SubjectPath) -> u32 {
    let digest = Digest::of(subject.root().as_str().as_bytes());
    let first = digest.as_bytes().first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    first % 100
}

/// The book of all plans, or whom to blame for that there is none: the position of the first
/// member whose plans do not go together with those before it.
pub(crate) fn plan_book<'a>(
    members: impl IntoIterator<Item = &'a AnyPolicy>,
) -> Result<PlanBook, (usize, PlanBookError)> {
    let mut book = PlanBook::default();
    for (i, member) in members.into_iter().enumerate() {
        let AnyPolicy::Tier(policy) = member else { continue };
        for (plan, is_default) in &policy.terms.plans {
            book.insert(plan.clone(), *is_default).map_err(|error| (i, error))?;
        }
    }
    Ok(book)
}

/// What tells a set of these members from every other.
pub(crate) fn revision(members: &[AnyPolicy]) -> String {
    Record { members: members.iter().map(Member::of).collect() }.revision()
}
