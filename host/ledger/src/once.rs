//! Idempotency keys: what a caller sends again under its key is done once.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tollgate_domain::Timestamp;

use crate::event::{EventId, Fingerprint};

/// A request under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Once {
    /// Of the caller's key, and of where it is used.
    pub key: Fingerprint,
    /// Of the body: tells a repetition from another request.
    pub body: Fingerprint,
}

/// What a unit keeps of the request that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub once: Once,
    /// Which of the request's parts it answers.
    pub part: u32,
}

/// A unit with a mark, as a store finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked {
    pub mark: Mark,
    pub at: Timestamp,
    pub unit: EventId,
}

/// A request's turn. While it lasts nobody else has one under the same key: until the caller and
/// every unit that was queued in it have let go of it. A request without a key always has one.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    keyed: Option<Arc<Keyed>>,
    part: u32,
}

#[derive(Debug)]
struct Keyed {
    once: Once,
    /// What was done of the request before.
    done: Vec<Marked>,
    _claim: Claim,
}

impl Turn {
    pub(crate) fn new(once: Once, claim: Claim, done: Vec<Marked>) -> Self {
        let keyed = Keyed { once, done, _claim: claim };
        Self { keyed: Some(Arc::new(keyed)), part: 0 }
    }

    /// The same turn, for one of the parts of a request that is decided in several units.
    pub fn of_part(&self, part: u32) -> Self {
        Self { keyed: self.keyed.clone(), part }
    }

    /// What the unit that is decided in this turn has to keep.
    pub(crate) fn mark(&self) -> Option<Mark> {
        self.keyed.as_ref().map(|keyed| Mark { once: keyed.once, part: self.part })
    }

    /// The unit that was decided before.
    pub(crate) fn done(&self) -> Option<EventId> {
        let mut done = self.keyed.iter().flat_map(|keyed| &keyed.done);
        done.find(|marked| marked.mark.part == self.part).map(|marked| marked.unit)
    }
}

/// The keys that somebody has a turn under.
#[derive(Debug, Default)]
pub struct Claims(Mutex<HashSet<Fingerprint>>);

/// A key, claimed until it is dropped.
#[derive(Debug)]
pub struct Claim {
    claims: Arc<Claims>,
    key: Fingerprint,
}

impl Claims {
    /// `None` while another has it.
    pub fn claim(self: &Arc<Self>, key: Fingerprint) -> Option<Claim> {
        let free = self.0.lock().insert(key);
        free.then(|| Claim { claims: self.clone(), key })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.0.lock().remove(&self.key);
    }
}
