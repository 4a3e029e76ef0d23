//! Blocks as bytes: how units are kept for ever, in a store and in a backup alike.

use std::{fmt, iter, mem};

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

/// An entry's bytes after their number: a block is its format and then these, one entry after the
/// other, so that one is read without those before it.
pub fn encode(at: Timestamp, change: &Change, mark: Option<Mark>) -> Result<Vec<u8>, StoreError> {
    #[derive(Serialize)]
    struct EntryRef<'a> {
        at: Timestamp,
        change: &'a Change,
        mark: Option<Mark>,
    }
    let encoded = postcard::to_stdvec(&EntryRef { at, change, mark })
        .and_then(|entry| Ok([postcard::to_stdvec(&entry.len())?, entry].concat()));
    encoded.map_err(|error| StoreError(format!("cannot encode a unit: {error}")))
}

/// The entries of a block.
pub fn read(number: u64, block: &[u8]) -> Result<Vec<Entry>, StoreError> {
    entries(number, block)?.map(|entry| decode(number, entry?)).collect()
}

/// One entry of a block, if there are so many.
pub fn read_one(number: u64, block: &[u8], index: u32) -> Result<Option<Entry>, StoreError> {
    let entry = entries(number, block)?.nth(usize::try_from(index).unwrap_or(usize::MAX));
    entry.map(|entry| decode(number, entry?)).transpose()
}

/// The bytes of each entry of a block.
fn entries(
    number: u64,
    block: &[u8],
) -> Result<impl Iterator<Item = Result<&[u8], StoreError>>, StoreError> {
    let Some((&FORMAT, mut rest)) = block.split_first() else {
        return Err(StoreError(format!("block {number} has an unknown format")));
    };
    Ok(iter::from_fn(move || {
        let all = mem::take(&mut rest);
        let length = (!all.is_empty()).then(|| postcard::take_from_bytes::<usize>(all))?;
        let entry = length.and_then(|(length, all)| {
            all.split_at_checked(length).ok_or(postcard::Error::DeserializeUnexpectedEnd)
        });
        Some(entry.map_err(|error| damaged(number, error)).map(|(entry, more)| {
            rest = more;
            entry
        }))
    }))
}

fn decode(number: u64, entry: &[u8]) -> Result<Entry, StoreError> {
    match postcard::take_from_bytes(entry) {
        Ok((entry, [])) => Ok(entry),
        Ok(_) => Err(damaged(number, "an entry is too long")),
        Err(error) => Err(damaged(number, error)),
    }
}

fn damaged(number: u64, error: impl fmt::Display) -> StoreError {
    StoreError(format!("block {number} is damaged: {error}"))
}
