//! Why a candidate did not become active.

use std::fmt;

/// The stages of a candidate, in order. A refusal names the first that was not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The manifest makes sense, and the plugin is there and not too large.
    Verified,
    /// The plugin exports and imports what a policy of its kind may.
    Inspected,
    Compiled,
    Linked,
    /// It took its configuration and answered the test calls, each time alike.
    Probed,
    /// It fits together with the other policies.
    Active,
}

impl Step {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Inspected => "inspected",
            Self::Compiled => "compiled",
            Self::Linked => "linked",
            Self::Probed => "probed",
            Self::Active => "active",
        }
    }
}

/// What a plugin finds wrong with its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// A JSON Pointer into the configuration.
    pub pointer: String,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Refused {
    pub step: Step,
    pub reason: String,
    /// What the plugin found wrong with its configuration, if that is why.
    pub problems: Vec<ConfigProblem>,
    /// Whether the same bytes may fare better next time: it was not they that were at fault.
    pub passing: bool,
}

impl Refused {
    pub fn new(step: Step, reason: impl fmt::Display) -> Self {
        Self { step, reason: reason.to_string(), problems: Vec::new(), passing: false }
    }
}
