//! Why a backup cannot be used, and where in it.

use std::fmt;
use std::io;

use super::PROGRAM;
use super::frame::FORMAT;

/// A backup that is not to be restored, not even in part.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("this is no backup of a ledger: it does not begin like one, at byte 0")]
    NotABackup,
    #[error(
        "the backup has format {0}, at byte 16, which tollgate {PROGRAM} does not know: it knows \
         format {FORMAT}"
    )]
    UnknownFormat(u32),
    #[error(
        "{place} is of kind {kind:?}, which tollgate {PROGRAM} does not know: the backup was made \
         by tollgate {made_by}"
    )]
    UnknownKind { place: Place, kind: char, made_by: String },
    #[error("the backup breaks off in {0}: the rest is missing")]
    Truncated(Place),
    #[error("the backup is damaged in {place}: {what}")]
    Damaged { place: Place, what: String },
    #[error(transparent)]
    Unreadable(#[from] io::Error),
}

/// A frame of a backup, by its number and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Counted from 0, which is the head.
    pub frame: u64,
    pub byte: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {} at byte {}", self.frame, self.byte)
    }
}
