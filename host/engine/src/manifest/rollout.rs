//! How a version that lies in the folder comes into force: at once, or beside the one before.

use super::ManifestError;
use super::reader::{Field, Section};

/// What becomes of a version that is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rollout {
    /// It takes the place of the one before.
    #[default]
    Active,
    /// It is asked beside the one before, and changes nothing.
    Shadow,
    /// It decides for some of the subjects, and is compared with the one before.
    Canary {
        /// Of the subjects, from 1 to 100.
        percent: u32,
    },
}

impl Rollout {
    /// Reads `stage` and `percent`.
    pub(super) fn read(top: &mut Section<'_>) -> Result<Self, ManifestError> {
        let stage = top.optional("stage", |field| match field.text()? {
            "shadow" => Ok(Self::Shadow),
            "canary" => Ok(Self::Canary { percent: 0 }),
            _ => Err(field.error("must be \"shadow\" or \"canary\"")),
        })?;
        match stage {
            Some(Self::Canary { .. }) => {
                let percent = percent(&top.required("percent")?)?;
                Ok(Self::Canary { percent })
            }
            stage => Ok(stage.unwrap_or_default()),
        }
    }

    pub fn is_beside(self) -> bool {
        self != Self::Active
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Shadow => "shadow",
            Self::Canary { .. } => "canary",
        }
    }
}

fn percent(field: &Field) -> Result<u32, ManifestError> {
    let percent = u32::try_from(field.positive()?).ok().filter(|percent| *percent <= 100);
    percent.ok_or_else(|| field.error("must be at most 100"))
}
