//! Versions that run beside those that are active.

use std::sync::Arc;

use crate::candidate::AnyPolicy;
use crate::kinds::PolicyKind;
use crate::policy::Policy;

/// A policy's place in a set, and the version that every answer of it is compared with.
pub(crate) struct Seat<K: PolicyKind> {
    pub policy: Arc<Policy<K>>,
    pub beside: Option<Arc<Beside>>,
}

/// The two versions of a policy whose answers are compared.
pub(crate) struct Beside {
    /// The one that is on trial.
    pub candidate: AnyPolicy,
    /// The one that is asked after the answer: a shadow, or the version that a canary replaces.
    pub other: AnyPolicy,
}

impl<K: PolicyKind> Clone for Seat<K> {
    fn clone(&self) -> Self {
        Self { policy: self.policy.clone(), beside: self.beside.clone() }
    }
}
