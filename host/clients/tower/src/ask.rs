//! A call that is about to be made.

use std::collections::BTreeMap;

use serde::Serialize;

/// Who will call whom, and with how much, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ask {
    pub(crate) subject: String,
    pub(crate) provider: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
    pub(crate) usage: BTreeMap<String, u64>,
}

impl Ask {
    /// `subject` is a user id, or a path from the widest level to the narrowest.
    pub fn new(subject: impl Into<String>, provider: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            provider: provider.into(),
            model: None,
            endpoint: None,
            usage: BTreeMap::new(),
        }
    }

    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Where in the app the call is made, for the usage log.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// The estimate of one quantity, such as `input_tokens`. What is not estimated here is
    /// estimated by the pricing policy.
    pub fn estimate(mut self, quantity: impl Into<String>, amount: u64) -> Self {
        self.usage.insert(quantity.into(), amount);
        self
    }
}
