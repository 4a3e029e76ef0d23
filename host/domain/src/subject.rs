//! Who is metered: one level, or a path from the widest to the narrowest.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize};

use crate::name::{NameError, parsed, plain};
use crate::schema;

const BYTES_MAX: usize = 200;
const SEGMENTS_MAX: usize = 8;

/// A subject and everything it belongs to: `acme/ml-team/ann` is Ann, in the team, in Acme.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SubjectPath(CompactString);

/// One level of a path, spelled from the root: `acme/ml-team`.
pub type SubjectId = SubjectPath;

/// The widest level of a path. Everything beneath one root is decided under one lock.
pub type RootId = SubjectPath;

impl SubjectPath {
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The levels, the widest first, this path itself last.
    pub fn levels(&self) -> impl DoubleEndedIterator<Item = SubjectId> {
        let ends = self.0.match_indices('/').map(|(at, _)| at).chain([self.0.len()]);
        ends.map(|end| Self(self.0[..end].into()))
    }

    /// Whether it is the widest level of its path.
    pub fn is_root(&self) -> bool {
        !self.0.contains('/')
    }

    pub fn root(&self) -> RootId {
        Self(self.0.split('/').next().unwrap_or_default().into())
    }
}

impl FromStr for SubjectPath {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        plain(text, BYTES_MAX)?;
        if text.split('/').any(str::is_empty) {
            return Err(NameError::EmptySegment);
        }
        if text.split('/').count() > SEGMENTS_MAX {
            return Err(NameError::TooDeep);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for SubjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SubjectPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

const SEGMENT: &str = "[^/\\u0000-\\u001f\\u007f-\\u009f]+";

schema::described! {
    SubjectPath as "Subject";
    schema::text(
        "Who is metered: a user, or a path from the widest to the narrowest. 1 to 200 bytes, at \
         most 8 segments.",
        &format!("^{SEGMENT}(/{SEGMENT}){{0,{}}}$", SEGMENTS_MAX - 1),
        "acme/ml-team/ann",
    )
    .min_length(Some(1))
    .max_length(Some(BYTES_MAX))
    .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_levels_from_the_widest() {
        let path: SubjectPath = "acme/ml-team/ann".parse().unwrap();
        let levels: Vec<_> = path.levels().map(|level| level.to_string()).collect();
        assert_eq!(levels, ["acme", "acme/ml-team", "acme/ml-team/ann"]);
        assert_eq!(path.root().as_str(), "acme");
    }

    #[test]
    fn what_is_no_path_is_refused_with_the_reason() {
        for (text, error) in [
            ("", NameError::Empty),
            ("/a", NameError::EmptySegment),
            ("a//b", NameError::EmptySegment),
            ("a/", NameError::EmptySegment),
            ("a\nb", NameError::Control),
            ("1/2/3/4/5/6/7/8/9", NameError::TooDeep),
        ] {
            assert_eq!(text.parse::<SubjectPath>(), Err(error), "{text:?}");
        }
        assert_eq!("x".repeat(201).parse::<SubjectPath>(), Err(NameError::TooLong(200)));
    }
}
