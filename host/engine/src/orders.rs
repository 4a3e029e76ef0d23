//! What was asked for beyond what lies in the folder: names that are held back, and documents.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::document::Document;
use crate::refusal::{Refused, Step};
use crate::source::Source;

/// What is in force until somebody says otherwise. It is part of every step of the history, so
/// that a start goes on with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Orders {
    /// By the name of the policy.
    pub holds: BTreeMap<String, Hold>,
    pub documents: Vec<Document>,
}

/// What lies in the folder under a name is not taken until its bytes change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hold {
    /// Of what lies there; `None` while nothing does.
    pub fingerprint: Option<Digest>,
    pub reason: String,
}

impl Orders {
    /// Ends the holds of names whose bytes have changed, and takes the others out of what was
    /// found: with the reason why.
    pub fn hold_back(&mut self, sources: &mut Vec<Source>) -> Vec<(String, Refused)> {
        self.holds.retain(|name, hold| {
            let found = sources.iter().find(|source| source.name == *name);
            hold.fingerprint == found.map(|source| source.fingerprint)
        });
        sources.retain(|source| !self.holds.contains_key(&source.name));
        let refused = self
            .holds
            .iter()
            .map(|(name, hold)| (name.clone(), Refused::new(Step::Active, &hold.reason)));
        refused.collect()
    }

    /// Those of one policy.
    pub fn documents_of(&self, policy: &str) -> Vec<Document> {
        self.documents.iter().filter(|document| document.policy == policy).cloned().collect()
    }

    /// Keeps a document in place of the one that was about the same entry.
    pub fn lay(&mut self, document: Document) {
        self.lift(&document);
        self.documents.push(document);
    }

    /// Removes the document about the same entry; says whether there was one.
    pub fn lift(&mut self, document: &Document) -> bool {
        let before = self.documents.len();
        self.documents.retain(|other| !document.replaces(other));
        self.documents.len() < before
    }
}
