//! Where in a configuration something stands.

use std::fmt;

/// A JSON Pointer (RFC 6901), from the root down.
///
/// ```
/// use tollgate_plugin::Pointer;
///
/// let quota = Pointer::root().to("plans").to(0).to("quotas").to(2);
/// assert_eq!(quota.to("limit").to_string(), "/plans/0/quotas/2/limit");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointer(String);

impl Pointer {
    /// The whole document.
    pub fn root() -> Self {
        Self::default()
    }

    /// One step down: a member's name, or a position in a list.
    #[must_use]
    pub fn to(&self, step: impl fmt::Display) -> Self {
        let step = step.to_string().replace('~', "~0").replace('/', "~1");
        Self(format!("{}/{step}", self.0))
    }

    /// The items of a list, one after the other without end: made to be zipped with them.
    pub fn items(&self) -> impl Iterator<Item = Self> {
        (0_usize..).map(|position| self.to(position))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
