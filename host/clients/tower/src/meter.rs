//! What a request uses, as its handler says it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Among the extensions of every metered request; copies count together, also from a stream that
/// goes on after the handler has returned.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<Option<BTreeMap<String, u64>>>>);

impl Meter {
    /// Adds an amount of a quantity, such as `input_tokens`. A total contains its parts.
    pub fn used(&self, quantity: &str, amount: u64) -> &Self {
        // Nothing that holds the lock can leave the amounts half changed.
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = said.get_or_insert_default().entry(quantity.to_owned()).or_default();
        *entry = entry.saturating_add(amount);
        self
    }

    /// `None` where nobody said anything.
    pub(crate) fn said(&self) -> Option<BTreeMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
