//! Convenience on what the host tells of a call.

use crate::{Call, Decimal};

impl Call {
    /// The value of a fact, where the host knows it and the policy needs it.
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.as_str())
    }

    /// How much of a quantity the call uses, where that is stated.
    pub fn amount(&self, quantity: &str) -> Option<Decimal> {
        self.usage.iter().find(|measure| measure.quantity == quantity).map(|measure| measure.amount)
    }
}
