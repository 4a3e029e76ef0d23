//! From what lies in the folder, or lay there once, to what is active.

use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_domain::PlanBook;

use super::{Desk, Policies};
use crate::archive::ArchiveError;
use crate::assembly::{Assembly, WHOLE_SET, assemble};
use crate::candidate::AnyPolicy;
use crate::digest::Digest;
use crate::folder;
use crate::history::{Cause, HistoryStep, Member, Record};
use crate::orders::Orders;
use crate::refusal::{Refused, Step};
use crate::set::{PolicySet, revision};
use crate::source::{Part, Source};

/// What is to be active next.
pub(super) struct Proposal {
    /// In the order of their names.
    pub members: Vec<AnyPolicy>,
    pub plans: PlanBook,
    pub orders: Orders,
    /// Bytes that the archive may not have yet.
    pub parts: BTreeMap<Digest, Part>,
    pub cause: Cause,
    pub reason: String,
}

impl Policies {
    /// Looks at the folder now; says whether another set is active afterwards. What cannot be
    /// taken is refused by name and explained in the log, the status and a note beside it.
    pub fn reload(&self) -> bool {
        self.look(&mut self.desk.lock())
    }

    pub(super) fn look(&self, desk: &mut Desk) -> bool {
        let current = self.current();
        let active = current.as_ref().map_or(&[][..], |set| set.members());
        let mut sources = match folder::scan(&self.options.folder, &desk.orders.documents) {
            Ok(sources) => sources,
            Err(error) => {
                let why = format!("cannot read the folder of policies: {error}");
                self.report(vec![(WHOLE_SET.to_owned(), Refused::new(Step::Verified, why))]);
                return false;
            }
        };
        let parts = parts_of(&sources);
        let mut orders = desk.orders.clone();
        let held = orders.hold_back(&mut sources);
        let mut candidates =
            desk.workshop.candidates(sources, active, &self.runtime, &self.options);
        candidates.extend(held.into_iter().map(|(name, refused)| (name, Err(refused))));
        let Assembly { members, mut refused } = assemble(candidates, active);
        self.report(refused.clone());
        let Some((members, plans)) = members else { return false };
        let (cause, reason) = (Cause::Folder, String::new());
        let proposal = Proposal { members, plans, orders, parts, cause, reason };
        self.activate(desk, proposal).unwrap_or_else(|error| {
            let why = format!("the revision cannot be kept, and is not used before it is: {error}");
            refused.push((WHOLE_SET.to_owned(), Refused::new(Step::Active, why)));
            self.report(refused);
            false
        })
    }

    /// Keeps a revision and then makes it the active one; says whether it was not before.
    pub(super) fn activate(
        &self,
        desk: &mut Desk,
        proposal: Proposal,
    ) -> Result<bool, ArchiveError> {
        let Proposal { members, plans, orders, parts, cause, reason } = proposal;
        let revision = revision(&members);
        let current = self.current();
        let is_new = current.is_none_or(|set| set.revision() != revision);
        let kept = (revision, orders);
        if !is_new && desk.kept.as_ref() == Some(&kept) {
            return Ok(false);
        }
        let now = (self.now)();
        let since = members.iter().map(|member| {
            let since = member.card().activated_at.get().copied().unwrap_or(now);
            (member.name().to_owned(), since)
        });
        let (revision, orders) = kept.clone();
        let since = since.collect();
        let step = HistoryStep { revision, at: now, cause, reason, orders, since };
        let record = Record { members: members.iter().map(Member::of).collect() };
        self.history.keep(&record, &parts, &step)?;
        desk.orders = step.orders;
        desk.kept = Some(kept);
        if is_new {
            self.swap(PolicySet::new(members, plans, now));
        }
        Ok(is_new)
    }

    /// Goes on from what was active last, if anything was.
    pub(super) fn go_on(&self) {
        let mut desk = self.desk.lock();
        if let Err(error) = self.restore(&mut desk) {
            tracing::error!(%error, "cannot go on from the policies that were active last");
        }
    }

    fn restore(&self, desk: &mut Desk) -> Result<(), ArchiveError> {
        let Some(step) = self.history.last()? else { return Ok(()) };
        let record = self.history.record(&step.revision)?;
        let missing = || ArchiveError(format!("revision {} is missing", step.revision));
        let members = record.ok_or_else(missing)?.members;
        let sources = members.iter().map(|member| self.history.source(member)).collect();
        let candidates = desk.workshop.candidates(sources, &[], &self.runtime, &self.options);
        let Assembly { members, refused } = assemble(candidates, &[]);
        for (policy, Refused { step, reason, .. }) in refused {
            let step = step.as_str();
            tracing::warn!(policy, step, "a policy that was active cannot be any more: {reason}");
        }
        if let Some((members, plans)) = members {
            for member in &members {
                if let Some(since) = step.since.get(member.name()) {
                    // The first one stays, and this is the first.
                    let _ = member.card().activated_at.set(*since);
                }
            }
            self.swap(PolicySet::new(members, plans, step.at));
        }
        desk.orders = step.orders.clone();
        desk.kept = Some((step.revision, step.orders));
        Ok(())
    }

    fn swap(&self, set: PolicySet) {
        let names: Vec<_> = set.members().iter().map(AnyPolicy::name).collect();
        let revision = set.revision();
        tracing::info!(revision, policies = ?names, "a new set of policies is active");
        self.current.store(Some(Arc::new(set)));
    }
}

pub(super) fn parts_of(sources: &[Source]) -> BTreeMap<Digest, Part> {
    let parts = sources.iter().flat_map(|source| &source.parts);
    parts.map(|part| (part.id.digest, part.clone())).collect()
}
