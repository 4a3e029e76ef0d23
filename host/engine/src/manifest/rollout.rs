//! What `stage` says: how a version comes into force (at once, or beside the one before), and whether
//! a pricing policy prices calls or changes what others say.

use super::ManifestError;
use super::reader::{Field, Section};
use crate::kinds::Kind;

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

/// Reads `stage`, a word or a list of them, and `percent`. A pricing policy with `"adjust"` is of the
/// kind of adjustments.
pub(super) fn staged(kind: Kind, top: &mut Section<'_>) -> Result<(Kind, Rollout), ManifestError> {
    let mut staged = (None, None);
    top.optional("stage", |field| {
        for word in field.words()? {
            let twice = match (word, kind) {
                ("base", Kind::Pricing) => staged.0.replace(Kind::Pricing).is_some(),
                ("adjust", Kind::Pricing) => staged.0.replace(Kind::Adjustment).is_some(),
                ("shadow", _) => staged.1.replace(Rollout::Shadow).is_some(),
                ("canary", _) => staged.1.replace(Rollout::Canary { percent: 0 }).is_some(),
                (_, Kind::Pricing) => {
                    return Err(
                        field.error("must be \"base\", \"adjust\", \"shadow\" or \"canary\"")
                    );
                }
                _ => return Err(field.error("must be \"shadow\" or \"canary\"")),
            };
            if twice {
                return Err(field.error("says the same thing in two ways"));
            }
        }
        Ok(())
    })?;
    if let Some(Rollout::Canary { percent: share }) = &mut staged.1 {
        *share = percent(&top.required("percent")?)?;
    }
    Ok((staged.0.unwrap_or(kind), staged.1.unwrap_or_default()))
}

fn percent(field: &Field) -> Result<u32, ManifestError> {
    let percent = u32::try_from(field.positive()?).ok().filter(|percent| *percent <= 100);
    percent.ok_or_else(|| field.error("must be at most 100"))
}
