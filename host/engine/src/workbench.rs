//! A candidate by itself, for those who write policies: taken as the host would take it, asked what
//! the host would ask, and measured against its limits.

mod inspection;
mod joining;
mod trial;

use std::path::PathBuf;

use crate::OpenError;
use crate::candidate::AnyPolicy;
use crate::digest::Digest;
use crate::folder::Files;
use crate::manifest::Manifest;
use crate::options::Options;
use crate::refusal::{Refused, Step};
use crate::runtime::Runtime;
use crate::workshop::Workshop;

pub use inspection::Inspection;
pub use trial::{Failed, LimitsInForce, Measured, Question, Reply, Trial};

/// Where candidates are tried. It looks at no folder and keeps no set.
pub struct Workbench {
    options: Options,
    runtime: Runtime,
}

/// Why the host would not make a candidate active.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NotTaken {
    /// The first stage that was not reached, as in a [`Rejection`](crate::Rejection).
    pub step: &'static str,
    pub reason: String,
}

impl Workbench {
    /// Sets up the engine as a service does that is started without options.
    pub fn new() -> Result<Self, OpenError> {
        let options = Options::new("");
        Ok(Self { runtime: Runtime::new(&options)?, options })
    }

    /// Everything that the host does with a plugin and the manifest of the policy `name` before it
    /// looks at the other policies.
    pub fn take(&self, name: &str, manifest: &str, plugin: &[u8]) -> Result<Trial, NotTaken> {
        Ok(Trial::new(self.policy(name, manifest, plugin)?))
    }

    /// The component that a manifest names, relative to it.
    pub fn plugin_of(&self, name: &str, manifest: &str) -> Result<PathBuf, NotTaken> {
        let manifest = Manifest::parse(name, manifest.to_owned());
        Ok(manifest.map_err(|error| Refused::new(Step::Verified, error))?.plugin)
    }

    fn policy(&self, name: &str, manifest: &str, plugin: &[u8]) -> Result<AnyPolicy, Refused> {
        let files = files(name, manifest, plugin.to_vec())?;
        Workshop::default().build(files, &self.runtime, &self.options)
    }
}

/// What a folder would hold under that name.
fn files(name: &str, manifest: &str, plugin: Vec<u8>) -> Result<Files, Refused> {
    let manifest = Manifest::parse(name, manifest.to_owned())
        .map_err(|error| Refused::new(Step::Verified, error))?;
    let bytes_max = manifest.limits.component_bytes();
    if plugin.len() as u64 > bytes_max {
        let file = manifest.plugin.display();
        let why = format!("{file} has more than {bytes_max} bytes");
        return Err(Refused::new(Step::Verified, why));
    }
    Ok(Files { plugin_digest: Digest::of(&plugin), manifest, plugin })
}

impl From<Refused> for NotTaken {
    fn from(refused: Refused) -> Self {
        Self { step: refused.step.as_str(), reason: refused.reason }
    }
}
