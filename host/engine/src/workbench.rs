//! A candidate by itself, for those who write policies: taken as the host would take it, asked what
//! the host would ask, and measured against its limits.

mod draft;
mod inspection;
mod joining;
mod trial;

use std::path::PathBuf;
use std::sync::Arc;

use tollgate_domain::Timestamp;

use crate::manifest::Manifest;
use crate::options::Options;
use crate::overseer::Overseer;
use crate::refusal::{Refused, Step};
use crate::runtime::Runtime;
use crate::workshop::{Works, Workshop};
use crate::{Compiling, OpenError};

pub use draft::Draft;
pub use inspection::Inspection;
pub use trial::{Failed, LimitsInForce, Measured, Trial};

/// Where candidates are tried. It looks at no folder unless it is told to, and keeps no set.
pub struct Workbench {
    works: Works,
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
    /// Sets up the engine as a service does that is started without options; `compiling` as there.
    pub fn new(compiling: Option<Compiling>) -> Result<Self, OpenError> {
        let options = Options { compiling, ..Options::new("") };
        // Nothing is ever active, so that no time matters, and nobody needs to listen.
        let (overseer, _) = Overseer::new(Arc::new(|| Timestamp::from_micros(0)));
        Ok(Self { works: Works { runtime: Runtime::new(&options)?, options, overseer } })
    }

    /// Everything that the host does with a policy before it looks at the others.
    pub fn take(&self, draft: &Draft) -> Result<Trial, NotTaken> {
        let built =
            draft.source().files.and_then(|files| Workshop::default().build(files, &self.works));
        Ok(Trial::new(built?))
    }

    /// The component that a manifest names, relative to it.
    pub fn plugin_of(&self, name: &str, manifest: &str) -> Result<PathBuf, NotTaken> {
        let manifest = Manifest::parse(name, manifest.to_owned());
        Ok(manifest.map_err(|error| Refused::new(Step::Verified, error))?.plugin)
    }
}

impl From<Refused> for NotTaken {
    fn from(refused: Refused) -> Self {
        Self { step: refused.step.as_str(), reason: refused.reason }
    }
}
