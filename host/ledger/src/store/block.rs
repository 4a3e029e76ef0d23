//! Blocks as bytes: how units are kept for ever, in a store and in a backup alike.

use serde::{Deserialize, Serialize};
use tollgate_domain::Timestamp;

use super::{Change, Mark, StoreError};

/// The first byte of every block: how the rest is to be read.
pub const FORMAT: u8 = 1;

/// One unit, as it is kept for ever.
#[derive(Serialize, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    pub change: Change,
    pub mark: Option<Mark>,
}

/// An entry's bytes: a block is its format and then these, one entry after the other.
pub fn encode(at: Timestamp, change: &Change, mark: Option<Mark>) -> Result<Vec<u8>, StoreError> {
    #[derive(Serialize)]
    struct EntryRef<'a> {
        at: Timestamp,
        change: &'a Change,
        mark: Option<Mark>,
    }
    postcard::to_stdvec(&EntryRef { at, change, mark })
        .map_err(|error| StoreError(format!("cannot encode a unit: {error}")))
}

/// The entries of a block.
pub fn read(number: u64, bytes: &[u8]) -> Result<Vec<Entry>, StoreError> {
    let mut rest = match bytes.split_first() {
        Some((&FORMAT, rest)) => rest,
        _ => return Err(StoreError(format!("block {number} has an unknown format"))),
    };
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let entry;
        (entry, rest) = postcard::take_from_bytes(rest)
            .map_err(|error| StoreError(format!("block {number} is damaged: {error}")))?;
        entries.push(entry);
    }
    Ok(entries)
}
