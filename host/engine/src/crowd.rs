//! Which of many tier policies a call may concern, without looking at all of them.

use std::collections::HashMap;

use tollgate_domain::ProviderId;

use crate::beside::Seat;
use crate::kinds::Tiers;

/// So few are looked through faster than anything is looked up.
const FEW: usize = 8;

/// Positions of policies by the provider of a call, in their order.
pub(crate) struct Crowd {
    /// `None` where there are few.
    by_provider: Option<HashMap<ProviderId, Vec<usize>>>,
    /// Those that may concern a provider that none names.
    others: Vec<usize>,
}

impl Crowd {
    pub fn new(tiers: &[Seat<Tiers>]) -> Self {
        let applies = |seat: &Seat<Tiers>, provider: &ProviderId| {
            seat.policy.card.manifest.applies_to.provider(Some(provider))
        };
        let at = |concerned: &dyn Fn(&Seat<Tiers>) -> bool| {
            let seats = tiers.iter().enumerate().filter(|(_, seat)| concerned(seat));
            seats.map(|(at, _)| at).collect::<Vec<_>>()
        };
        if tiers.len() <= FEW {
            return Self { by_provider: None, others: at(&|_| true) };
        }
        let named = tiers.iter().flat_map(|seat| seat.policy.card.manifest.applies_to.named());
        let by_provider = named.filter_map(|name| name.parse().ok()).map(|provider| {
            let concerned = at(&|seat| applies(seat, &provider));
            (provider, concerned)
        });
        let others = at(&|seat| seat.policy.card.manifest.applies_to.may_take_unnamed());
        Self { by_provider: Some(by_provider.collect()), others }
    }

    /// Those that a call to this provider may concern.
    pub fn of(&self, provider: &ProviderId) -> &[usize] {
        let found = self.by_provider.as_ref().and_then(|named| named.get(provider));
        found.unwrap_or(&self.others)
    }
}
