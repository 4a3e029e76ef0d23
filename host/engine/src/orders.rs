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
    /// A revision has its own: the history does not tell them twice.
    #[serde(skip)]
    pub documents: Vec<Document>,
    /// The latest ones last.
    pub quarantined: Vec<Quarantined>,
}

/// A version that turned out to be bad: its bytes are not taken again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Quarantined {
    pub policy: String,
    pub plugin_digest: Digest,
    pub config_digest: Digest,
    pub reason: String,
}

/// More are not remembered.
const QUARANTINED_MAX: usize = 100;

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
        let held = self.holds.iter().map(|(name, hold)| (name.clone(), hold.reason.clone()));
        let mut refused: Vec<_> = held.collect();
        sources.retain(|Source { name, files, .. }| {
            let Ok(files) = files else { return true };
            let digests = (files.plugin_digest, files.manifest.digest);
            let bad = self.quarantined(name, digests);
            refused.extend(bad.map(|reason| {
                (name.clone(), format!("in quarantine until its bytes change: {reason}"))
            }));
            bad.is_none()
        });
        let refused = refused.into_iter();
        refused.map(|(name, reason)| (name, Refused::new(Step::Active, reason))).collect()
    }

    /// Why a version is in quarantine, if it is: the plugin's digest, and the configuration's.
    pub fn quarantined(&self, policy: &str, digests: (Digest, Digest)) -> Option<&str> {
        let is = |bad: &&Quarantined| {
            bad.policy == policy && (bad.plugin_digest, bad.config_digest) == digests
        };
        self.quarantined.iter().find(is).map(|bad| bad.reason.as_str())
    }

    pub fn quarantine(&mut self, bad: Quarantined) {
        if self.quarantined.len() >= QUARANTINED_MAX {
            self.quarantined.remove(0);
        }
        self.quarantined.push(bad);
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
