//! What a pricing policy says that a call will cost, or has cost, or what that comes to by its word.

use std::sync::Arc;

use crate::beside::Seat;
use crate::fault::Fault;
use crate::kinds::Pricing;
use crate::policy::{Handle, RECHECK_EVERY};
use crate::question::{Learn, Reckon};

/// Asks the policy, unless it has said what calls like this one cost.
pub(crate) fn ask<A: Reckon>(seat: &Seat<Pricing>, asked: &A) -> Result<A::Answer, Fault> {
    let (policy, (call, at)) = (&seat.policy, asked.call());
    // Where every answer is compared with another version's, every question is asked.
    let likeness = match seat.beside {
        None => policy.terms.likeness(call, asked.max_tokens()),
        Some(_) => None,
    };
    let Some(likeness) = likeness else { return Handle::new(seat).call(asked) };
    let mut handle = Handle::seldom(seat);
    let known = policy.kept.find(&likeness);
    let check = known.as_ref().is_some_and(|(_, found)| *found > 0 && found % RECHECK_EVERY == 0);
    match known.map(|(rates, _)| rates) {
        Some(rates) if !check && !rates.as_ref().is_some_and(|rates| rates.are_over(at)) => {
            let Some(answer) = rates.and_then(|rates| asked.reckon(&rates)) else {
                return handle.call(asked);
            };
            handle.answered_before();
            return Ok(answer);
        }
        _ => {}
    }
    let learn = Learn::new(asked);
    let answer = handle.call_and_check(&learn, check)?;
    policy.kept.keep(likeness, learn.into_rates().map(Arc::new));
    Ok(answer)
}
