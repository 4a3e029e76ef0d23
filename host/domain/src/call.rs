//! A call to a paid API, about to be made or made.

use serde::{Deserialize, Serialize};

use crate::name::{EndpointName, FeatureId, ModelId, ProviderId};
use crate::subject::SubjectPath;
use crate::usage::Usage;

/// Short texts that a caller attaches to a call, in the order of their keys.
pub type Metadata = std::collections::BTreeMap<String, String>;

/// What a caller says of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    pub subject: SubjectPath,
    pub provider: ProviderId,
    /// Absent for providers without models.
    pub model: Option<ModelId>,
    pub endpoint: Option<EndpointName>,
    /// Stated by the caller; before a call, an expectation.
    pub usage: Usage,
    /// The caller's own bound on output tokens.
    pub max_tokens: Option<u32>,
    /// What the plan must include.
    pub features: Vec<FeatureId>,
    pub service_tier: Option<String>,
    pub region: Option<String>,
    pub metadata: Metadata,
}
