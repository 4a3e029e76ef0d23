//! What all policies have in common.

use serde::de::DeserializeOwned;

pub use crate::bindings::common::exports::tollgate::policy::lifecycle::Description;

use crate::Problem;

/// A policy of any kind: what it is, and how it comes from its configuration.
///
/// A policy is a pure function of its configuration and its input: `&self` is all it keeps, and
/// the host may ask the same question again at any time.
pub trait Policy: Send + Sync + Sized + 'static {
    /// The `[config]` table of the manifest. Give it `#[serde(deny_unknown_fields)]`, so that an
    /// operator's typo is refused instead of ignored.
    type Config: DeserializeOwned;

    /// What this plugin is, and what it needs of its input.
    fn describe() -> Description;

    /// Takes the configuration, or says all that is wrong with it.
    fn new(config: Self::Config) -> Result<Self, Vec<Problem>>;
}

impl Description {
    /// A plugin that needs nothing beyond what every call carries.
    pub fn new(name: &str, version: &str) -> Self {
        Self { name: name.into(), version: version.into(), needs: Vec::new(), config_schema: None }
    }

    /// Asks for facts and parts of the input by name.
    #[must_use]
    pub fn needs(mut self, names: &[&str]) -> Self {
        self.needs.extend(names.iter().map(|&name| name.into()));
        self
    }

    /// Adds a JSON Schema of the configuration, for editors and people.
    #[must_use]
    pub fn config_schema(mut self, schema: &str) -> Self {
        self.config_schema = Some(schema.into());
        self
    }
}
