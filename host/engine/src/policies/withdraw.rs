//! Policies that turn out to be bad once they are active.

use super::activation::Proposal;
use super::{Desk, Policies};
use crate::assembly::{Assembly, Candidates, assemble};
use crate::candidate::AnyPolicy;
use crate::history::{Cause, Member};
use crate::orders::{Orders, Quarantined};

impl Policies {
    /// Takes a version of a policy out: its last good version comes back, and the bytes are in
    /// quarantine. Nothing happens where it is not in force any more.
    pub(crate) fn withdraw(&self, policy: &AnyPolicy, reason: &str) {
        let mut desk = self.desk.lock();
        let Some(set) = self.current() else { return };
        let is_active = set.members().iter().any(|member| member.is(policy));
        let is_beside = set.candidates().iter().any(|candidate| candidate.is(policy));
        if !is_active && !is_beside {
            return;
        }
        let bad = Member::of(policy);
        let mut orders = desk.orders.clone();
        orders.quarantine(Quarantined {
            policy: bad.name.clone(),
            plugin_digest: bad.plugin_digest,
            config_digest: bad.config_digest,
            reason: reason.to_owned(),
        });
        let (name, revision) = (policy.name(), policy.card().revision());
        if !is_active {
            tracing::error!(policy = name, revision, "a candidate is withdrawn: {reason}");
            desk.orders = orders;
            self.look(&mut desk);
            return;
        }
        let last_good = self.last_good(&mut desk, &bad, &orders);
        if let Some((good, _)) = &last_good {
            orders.documents.retain(|document| document.policy != bad.name);
            orders.documents.extend(good.documents.iter().cloned());
        }
        let others = set.members().iter().filter(|member| !member.is(policy));
        let mut candidates: Candidates =
            others.map(|member| (member.name().to_owned(), Ok(member.clone()))).collect();
        candidates.extend(last_good.map(|(good, policy)| (good.name, Ok(policy))));
        let Assembly { members, .. } = assemble(candidates, &[]);
        let Some((members, plans)) = members else {
            tracing::error!(policy = name, revision, "{reason}; there is nothing to go back to");
            return;
        };
        tracing::error!(policy = name, revision, "a policy is taken back: {reason}");
        let proposal = Proposal {
            members,
            plans,
            candidates: Vec::new(),
            orders,
            parts: Default::default(),
            cause: Cause::Faults,
            reason: format!("{name}: {reason}"),
        };
        match self.activate(&mut desk, proposal) {
            // What lies in the folder is refused now, and says why.
            Ok(_) => drop(self.look(&mut desk)),
            Err(error) => tracing::error!(policy = name, %error, "it cannot be taken back"),
        }
    }

    /// The latest version of a policy before a bad one that was active and is not in quarantine.
    fn last_good(
        &self,
        desk: &mut Desk,
        bad: &Member,
        orders: &Orders,
    ) -> Option<(Member, AnyPolicy)> {
        let steps = self.history.steps().ok()?;
        for (_, step) in steps.filter_map(Result::ok) {
            let Ok(Some(record)) = self.history.record(&step.revision) else { continue };
            let found = record.members.into_iter().find(|member| member.name == bad.name);
            let Some(member) = found else { continue };
            let digests = (member.plugin_digest, member.config_digest);
            if orders.quarantined(&member.name, digests).is_some() {
                continue;
            }
            let source = self.history.source(&member);
            if let Ok(policy) = desk.workshop.candidate(source, &[], &self.works) {
                return Some((member, policy));
            }
        }
        None
    }
}
