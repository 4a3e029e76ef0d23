//! From what lies in the folder, or lay there once, to what is active.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use tollgate_domain::{PlanBook, Timestamp};

use super::{Desk, Policies};
use crate::archive::ArchiveError;
use crate::assembly::{Assembly, WHOLE_SET, assemble};
use crate::beside::Beside;
use crate::candidate::AnyPolicy;
use crate::digest::Digest;
use crate::folder;
use crate::history::{Cause, HistoryStep, Member, Record};
use crate::manifest::Rollout;
use crate::orders::Orders;
use crate::refusal::{Refused, Step};
use crate::set::{PolicySet, plan_book, revision};
use crate::source::{Part, Source};

/// What is to be active next.
pub(super) struct Proposal {
    /// In the order of their names.
    pub members: Vec<AnyPolicy>,
    pub plans: PlanBook,
    /// What is to run beside them.
    pub candidates: Vec<AnyPolicy>,
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
        self.counts.looks.fetch_add(1, Relaxed);
        let current = self.current();
        let active = current.as_ref().map_or(&[][..], |set| set.members());
        let mut sources = match folder::scan(self.folder(), &desk.orders.documents) {
            Ok(sources) => sources,
            Err(error) => {
                let why = format!("cannot read the folder of policies: {error}");
                let refused = Refused::new(Step::Verified, why);
                self.report(vec![(WHOLE_SET.to_owned(), refused)], &BTreeMap::new());
                return false;
            }
        };
        if let Ok(spare) = folder::spare(self.folder(), &sources, &self.spare.load()) {
            self.spare.store(Arc::new(spare));
        }
        let parts = parts_of(&sources);
        let found = sources.iter().map(|source| (source.name.clone(), source.fingerprint));
        let found = found.collect();
        let mut orders = desk.orders.clone();
        let held = orders.hold_back(&mut sources);
        let mut candidates = desk.workshop.candidates(sources, active, &self.works);
        candidates.extend(held.into_iter().map(|(name, refused)| (name, Err(refused))));
        let Assembly { members, candidates, mut refused } = assemble(candidates, active);
        self.report(refused.clone(), &found);
        let Some((members, plans)) = members else { return false };
        let (cause, reason) = (Cause::Folder, String::new());
        let proposal = Proposal { members, plans, candidates, orders, parts, cause, reason };
        self.activate(desk, proposal).unwrap_or_else(|error| {
            let why = format!("the revision cannot be kept, and is not used before it is: {error}");
            refused.push((WHOLE_SET.to_owned(), Refused::new(Step::Active, why)));
            self.report(refused, &found);
            false
        })
    }

    /// Keeps a revision and then makes it the active one; says whether it was not before.
    pub(super) fn activate(
        &self,
        desk: &mut Desk,
        proposal: Proposal,
    ) -> Result<bool, ArchiveError> {
        let Proposal { members, plans, candidates, orders, parts, cause, reason } = proposal;
        let (current, now) = (self.current(), self.works.overseer.now());
        let same = current.filter(|set| set.revision() == revision(&members));
        let kept = (revision(&members), orders);
        if same.is_none() || desk.kept.as_ref() != Some(&kept) {
            let since = members.iter().map(|member| {
                let since = member.card().activated_at.get().copied().unwrap_or(now);
                (member.name().to_owned(), since)
            });
            let (revision, orders) = kept.clone();
            let since = since.collect();
            let step = HistoryStep { revision, at: now, cause, reason, orders, since };
            self.history.keep(&record(&members), &parts)?;
            self.history.go_to(&step)?;
            desk.orders = step.orders;
            desk.kept = Some(kept);
        }
        if same.as_ref().is_some_and(|set| are(set.candidates(), &candidates)) {
            return Ok(false);
        }
        // The same revision is the same since it became active, whatever runs beside it.
        let since = same.as_ref().map_or(now, |set| set.activated_at());
        let set = self.with_candidates(members, plans, since, candidates, &parts)?;
        self.swap(set);
        Ok(same.is_none())
    }

    /// A set and what runs beside it. What canaries decide is decided by revisions of their own,
    /// which are kept as well.
    fn with_candidates(
        &self,
        members: Vec<AnyPolicy>,
        plans: PlanBook,
        since: Timestamp,
        candidates: Vec<AnyPolicy>,
        parts: &BTreeMap<Digest, Part>,
    ) -> Result<PolicySet, ArchiveError> {
        let mut shadows = BTreeMap::new();
        let mut percents = BTreeSet::new();
        for candidate in &candidates {
            match candidate.card().manifest.rollout {
                Rollout::Shadow => {
                    let (other, name) = (candidate.clone(), candidate.name().to_owned());
                    let beside = Beside { candidate: candidate.clone(), other };
                    shadows.insert(name, Arc::new(beside));
                }
                Rollout::Canary { percent } => drop(percents.insert(percent)),
                Rollout::Active => {}
            }
        }
        let mut arms = Vec::new();
        for part in percents {
            let mut beside = shadows.clone();
            let arm = members.iter().map(|member| {
                let canary = candidates.iter().find(|candidate| {
                    let rollout = candidate.card().manifest.rollout;
                    let decides = matches!(rollout, Rollout::Canary { percent } if percent >= part);
                    decides && candidate.name() == member.name()
                });
                let Some(canary) = canary else { return member.clone() };
                let (candidate, other) = (canary.clone(), member.clone());
                let compared = Arc::new(Beside { candidate, other });
                beside.insert(member.name().to_owned(), compared);
                canary.clone()
            });
            let arm: Vec<_> = arm.collect();
            // Each canary fits alone; where two do not fit together, the smaller part has none.
            let Ok(plans) = plan_book(&arm) else { continue };
            self.history.keep(&record(&arm), parts)?;
            let now = self.works.overseer.now();
            arms.push((part, Arc::new(PolicySet::new(arm, plans, now, &beside))));
        }
        let set = PolicySet::new(members, plans, since, &shadows);
        Ok(set.with_candidates(candidates, arms))
    }

    /// Goes on from what was active last, if anything was.
    pub(super) fn go_on(&self) -> Result<(), ArchiveError> {
        let begun = Instant::now();
        self.restore(&mut self.desk.lock())?;
        let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(elapsed_ms, "went on from the policies that were active last");
        Ok(())
    }

    fn restore(&self, desk: &mut Desk) -> Result<(), ArchiveError> {
        let Some(step) = self.history.last()? else { return Ok(()) };
        let record = self.history.record(&step.revision)?;
        let missing = || ArchiveError(format!("revision {} is missing", step.revision));
        let members = record.ok_or_else(missing)?.members;
        let documents = members.iter().flat_map(|member| member.documents.clone()).collect();
        let orders = Orders { documents, ..step.orders };
        let sources = members.par_iter().map(|member| self.history.whole_source(member));
        let sources = sources.collect::<Result<_, _>>()?;
        let candidates = desk.workshop.candidates(sources, &[], &self.works);
        let Assembly { members, refused, .. } = assemble(candidates, &[]);
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
            self.swap(PolicySet::new(members, plans, step.at, &BTreeMap::new()));
        }
        desk.orders = orders.clone();
        desk.kept = Some((step.revision, orders));
        Ok(())
    }

    fn swap(&self, set: PolicySet) {
        let names: Vec<_> = set.members().iter().map(AnyPolicy::name).collect();
        let revision = set.revision();
        let beside: Vec<_> = set.candidates().iter().map(AnyPolicy::name).collect();
        tracing::info!(revision, policies = ?names, ?beside, "a new set of policies is active");
        self.counts.activations.fetch_add(1, Relaxed);
        self.works.runtime.compiler.be_nice();
        self.current.store(Some(Arc::new(set)));
    }
}

fn record(members: &[AnyPolicy]) -> Record {
    Record { members: members.iter().map(Member::of).collect() }
}

/// Whether the two are the same objects.
fn are(some: &[AnyPolicy], others: &[AnyPolicy]) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(one, other)| one.is(other))
}

pub(super) fn parts_of(sources: &[Source]) -> BTreeMap<Digest, Part> {
    let parts = sources.iter().flat_map(|source| &source.parts);
    parts.map(|part| (part.id.digest, part.clone())).collect()
}
