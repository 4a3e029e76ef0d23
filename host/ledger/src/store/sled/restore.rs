//! A folder of data out of a backup: all of it, or nothing.

mod rebuild;
mod staging;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use self::rebuild::Rebuild;
use self::staging::Staging;
use crate::backup::{Broken, PROGRAM, Reader, Record};
use crate::store::{StoreError, block};

/// What was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    pub blocks: u64,
    pub events: u64,
    pub accounts: u64,
}

/// What a restore is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reads the backup and adds it up.
    Restoring,
    /// Reads what it wrote.
    Checking,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("there is something in {} already: restore into a folder that is new", .0.display())]
    Occupied(PathBuf),
    #[error(
        "{} is there already: a restore was cut off, or is under way; remove it if none is",
        .0.display()
    )]
    UnderWay(PathBuf),
    #[error(transparent)]
    Broken(#[from] Broken),
    /// It is as it was when it was written.
    #[error("{error}; the backup was made by tollgate {made_by}, and this is {PROGRAM}")]
    Incompatible { error: StoreError, made_by: String },
    #[error("{doing} {}: {error}", path.display())]
    Folder { doing: &'static str, path: PathBuf, error: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a folder of data out of a backup, whose end must vouch for it before the folder is
/// there at all. Takes memory for a bounded number of blocks, however many there are.
///
/// `progress` hears how many blocks are done, and of how many.
pub fn restore(
    backup: impl Read,
    folder: &Path,
    mut progress: impl FnMut(Stage, u64, u64),
) -> Result<Restored, RestoreError> {
    let staging = Staging::beside(folder)?;
    let mut backup = Reader::open(backup)?;
    let all = backup.head().blocks;
    let mut rebuild = Rebuild::begin(staging.path())?;
    let made_by = backup.head().made_by.clone();
    let incompatible = |error| RestoreError::Incompatible { error, made_by: made_by.clone() };
    while let Some(record) = backup.record()? {
        match record {
            Record::Block { number, block } => {
                let entries = rebuild.read(number, block).map_err(incompatible)?;
                rebuild.add(number, block, &entries)?;
                progress(Stage::Restoring, number, all);
            }
            Record::Refusals { number, block } => {
                let entries = block::read(number, block).map_err(incompatible)?;
                rebuild.add_refusals(number, block, &entries)?;
            }
            Record::Shelved { name, piece, left } => rebuild.add_shelved(name, piece, left)?,
        }
    }
    let restored = rebuild.finish(|done| progress(Stage::Checking, done, all))?;
    staging.publish()?;
    Ok(restored)
}
