//! Documents laid over policies, and taken away again.

use super::activation::Proposal;
use super::{Desk, Policies, member_of};
use crate::archive::ArchiveError;
use crate::assembly::{Assembly, Candidates, assemble};
use crate::document::Document;
use crate::history::{Cause, Member};
use crate::orders::Orders;
use crate::refusal::{ConfigProblem, Refused};

/// Why a document is not in force.
#[derive(Debug, thiserror::Error)]
pub enum LayError {
    #[error("no policy `{0}` is active")]
    UnknownPolicy(String),
    /// The policy does not take it, or it does not go together with the others.
    #[error("{reason}")]
    Refused { reason: String, problems: Vec<ConfigProblem> },
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl Policies {
    /// Lays a document over the policy that it names, in place of one about the same entry. When
    /// this returns, it is kept and in force. Blocks.
    pub fn lay(&self, document: Document) -> Result<(), LayError> {
        let mut desk = self.desk.lock();
        let mut orders = desk.orders.clone();
        let policy = document.policy.clone();
        let reason = format!("{} {}", document.list, serde_json::Value::from(document.key.clone()));
        orders.lay(document);
        self.with_documents(&mut desk, &policy, orders, reason)
    }

    /// Takes a document away again, so that the files alone say what its entry is; says whether
    /// there was one. Blocks.
    pub fn lift(&self, document: &Document) -> Result<bool, LayError> {
        let mut desk = self.desk.lock();
        let mut orders = desk.orders.clone();
        if !orders.lift(document) {
            return Ok(false);
        }
        let reason = format!("{} {}", document.list, serde_json::Value::from(document.key.clone()));
        self.with_documents(&mut desk, &document.policy, orders, reason)?;
        Ok(true)
    }

    /// The documents in force.
    pub fn documents(&self) -> Vec<Document> {
        self.desk.lock().orders.documents.clone()
    }

    /// Makes the active version of a policy anew, with other documents.
    fn with_documents(
        &self,
        desk: &mut Desk,
        policy: &str,
        orders: Orders,
        reason: String,
    ) -> Result<(), LayError> {
        let unknown = || LayError::UnknownPolicy(policy.to_owned());
        let set = self.current().ok_or_else(unknown)?;
        let (_, member) = member_of(&set, policy).ok_or_else(unknown)?;
        let member = Member { documents: orders.documents_of(policy), ..member };
        let source = self.history.source(&member);
        let mut candidates: Candidates = set
            .members()
            .iter()
            .map(|member| (member.name().to_owned(), Ok(member.clone())))
            .collect();
        let changed = desk.workshop.candidate(source, set.members(), &self.works);
        candidates.insert(policy.to_owned(), changed);
        let Assembly { members, refused, .. } = assemble(candidates, set.members());
        // What runs beside is made anew from the folder, with the same documents.
        let candidates = Vec::new();
        if let Some((_, Refused { reason, problems, .. })) = refused.into_iter().next() {
            return Err(LayError::Refused { reason, problems });
        }
        let incomplete = || LayError::Refused {
            reason: "the policies would not be complete".into(),
            problems: Vec::new(),
        };
        let (members, plans) = members.ok_or_else(incomplete)?;
        let (cause, parts) = (Cause::Document, Default::default());
        self.activate(desk, Proposal { members, plans, candidates, orders, parts, cause, reason })?;
        self.look(desk);
        Ok(())
    }
}
