//! Back to a revision that was active before.

use super::activation::Proposal;
use super::{Desk, Policies};
use crate::archive::ArchiveError;
use crate::assembly::{Assembly, assemble};
use crate::folder;
use crate::history::{Cause, Member};
use crate::orders::{Hold, Orders};
use crate::source::Source;

/// Why a revision is not active again.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    #[error("there is no revision `{0}`")]
    Unknown(String),
    /// It was usable once: this host has other limits, or another version of the engine.
    #[error("{policy} is not {step} any more: {reason}")]
    Unusable { policy: String, step: &'static str, reason: String },
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl Policies {
    /// Goes back to a revision, documents included, and stays there: what lies in the folder
    /// otherwise is not taken before its bytes change. Blocks.
    pub fn rollback(&self, revision: &str) -> Result<(), RollbackError> {
        let mut desk = self.desk.lock();
        let record = self.history.record(revision)?;
        let record = record.ok_or_else(|| RollbackError::Unknown(revision.to_owned()))?;
        let sources = record.members.iter().map(|member| self.history.source(member)).collect();
        let current = self.current();
        let active = current.as_ref().map_or(&[][..], |set| set.members());
        let candidates = desk.workshop.candidates(sources, active, &self.works);
        let Assembly { members, refused, .. } = assemble(candidates, &[]);
        if let Some((policy, refused)) = refused.into_iter().next() {
            let (step, reason) = (refused.step.as_str(), refused.reason);
            return Err(RollbackError::Unusable { policy, step, reason });
        }
        let Some((members, plans)) = members else {
            return Err(RollbackError::Unknown(revision.to_owned()));
        };
        let documents = record.members.iter().flat_map(|member| member.documents.clone());
        let mut orders = Orders {
            holds: self.holds(&record.members, &desk, revision),
            documents: documents.collect(),
            quarantined: desk.orders.quarantined.clone(),
        };
        // Whoever goes back to a version that was bad once knows why.
        orders.quarantined.retain(|bad| {
            let digests = (bad.plugin_digest, bad.config_digest);
            let is = |m: &Member| (m.plugin_digest, m.config_digest) == digests;
            !record.members.iter().any(|member| member.name == bad.policy && is(member))
        });
        let candidates = Vec::new();
        let reason = format!("back to {revision}");
        let (cause, parts) = (Cause::Rollback, Default::default());
        self.activate(
            &mut desk,
            Proposal { members, plans, candidates, orders, parts, cause, reason },
        )?;
        // What is held back now is reported, and what was refused before may not be any more.
        self.look(&mut desk);
        Ok(())
    }

    /// What keeps the folder from undoing it: a hold for every name that is otherwise there.
    fn holds(
        &self,
        members: &[Member],
        desk: &Desk,
        revision: &str,
    ) -> std::collections::BTreeMap<String, Hold> {
        // A folder that cannot be read holds nothing to take.
        let sources = folder::scan(self.folder(), &desk.orders.documents);
        let sources = sources.unwrap_or_default();
        let reason = format!("held back by a rollback to {revision}, until its bytes change");
        let hold = |source: Option<&Source>| Hold {
            fingerprint: source.map(|source| source.fingerprint),
            reason: reason.clone(),
        };
        let in_folder = |name: &str| sources.iter().find(|source| source.name == name);
        let of_members = members.iter().filter_map(|member| {
            let found = in_folder(&member.name);
            let same = found.is_some_and(|found| found.fingerprint == member.fingerprint());
            (!same).then(|| (member.name.clone(), hold(found)))
        });
        let others = sources.iter().filter_map(|source| {
            let known = members.iter().any(|member| member.name == source.name);
            (!known).then(|| (source.name.clone(), hold(Some(source))))
        });
        of_members.chain(others).collect()
    }
}
