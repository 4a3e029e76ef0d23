//! What all tier policies together think of a call.

use tollgate_domain::{Call, Opinion, Refusal, Snapshot, Usd, reason};

use crate::beside::Seat;
use crate::fault::Fault;
use crate::kinds::Tiers;
use crate::manifest::OnFailure;
use crate::policy::{Handle, RECHECK_EVERY};
use crate::question::Evaluate;

/// The tier policies of one set, each with an instance at hand unless its verdicts are kept. Made
/// before the ledger's lock is taken, so that nothing is started while others wait for it; best
/// just before, since the instances are everybody's.
pub struct Judge {
    tiers: Vec<Handle<Tiers>>,
}

impl Judge {
    /// What does not concern the call costs it next to nothing, however many such policies there
    /// are.
    pub(crate) fn new<'a>(tiers: impl Iterator<Item = &'a Seat<Tiers>>, call: &Call) -> Self {
        let concerns = |seat: &&Seat<Tiers>| seat.policy.card.manifest.applies_to.call(call);
        let handle = |seat: &Seat<Tiers>| match seat.policy.terms.scope {
            Some(_) => Handle::seldom(seat),
            None => Handle::new(seat),
        };
        Self { tiers: tiers.filter(concerns).map(handle).collect() }
    }

    /// Asks every policy that the call concerns. The first refusal wins; other limits add up, and
    /// between two for the same quota the later policy by name wins. May be asked again, with
    /// another snapshot of the same call.
    pub fn evaluate(
        &mut self,
        call: &Call,
        snapshot: &Snapshot,
        estimated_cost: Option<Usd>,
    ) -> Opinion {
        let mut opinion = Opinion::default();
        for tier in &mut self.tiers {
            if !tier.policy().card.manifest.applies_to.decision(call, snapshot) {
                continue;
            }
            let answer = verdict(tier, &Evaluate { call, snapshot, estimated_cost });
            let manifest = &tier.policy().card.manifest;
            let refusal = match answer {
                Ok(verdict) => {
                    opinion.limits.extend(verdict.limits);
                    verdict.refusal
                }
                Err(_) if manifest.on_failure == OnFailure::Allow => None,
                Err(_) => Some(failed(&manifest.name)),
            };
            if refusal.is_some() {
                opinion.refusal = refusal;
                break;
            }
        }
        opinion
    }
}

/// What a policy says of a call, or has said where that is the same.
fn verdict(tier: &mut Handle<Tiers>, asked: &Evaluate<'_>) -> Result<Opinion, Fault> {
    let Some(scope) = tier.policy().terms.scope.filter(|_| !tier.is_compared()) else {
        return tier.call(asked);
    };
    let key = scope.key(asked.call, asked.snapshot);
    let found = tier.policy().kept.find(&key);
    let check = match found {
        Some((_, count)) if count % RECHECK_EVERY == 0 && count > 0 => true,
        Some((opinion, _)) => {
            tier.answered_before();
            return Ok(opinion);
        }
        None => false,
    };
    let opinion = tier.call_and_check(asked, check)?;
    tier.policy().kept.keep(key, opinion.clone());
    Ok(opinion)
}

/// What went wrong is for the operator, in the log; the caller learns that it was not their call.
fn failed(policy: &str) -> Refusal {
    Refusal {
        reason: reason::POLICY_ERROR.to_owned(),
        message: format!("The policy `{policy}` failed, and calls are refused when it does."),
        level: 0,
    }
}
