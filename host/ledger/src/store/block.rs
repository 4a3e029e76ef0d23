//! Blocks as bytes: how units are kept for ever, in a store and in a backup alike.
//!
//! A block is its format and then, compressed, one entry after the other, each behind its length.
//! Units resemble each other: together they take a quarter of the room that each takes alone, and
//! of the time that it takes to write them.

use std::{fmt, iter};

use lz4_flex::block::uncompressed_size;
use lz4_flex::{compress_prepend_size, decompress};
use serde::{Deserialize, Serialize};
use tollgate_domain::Timestamp;

use super::{Change, Mark, StoreError};

/// The first byte of every block: how the rest is to be read.
const FORMAT: u8 = 3;

/// A block that claims to be larger is damaged: the texts of a unit are bounded, and a block ends
/// with the first unit that fills it.
const CONTENT_BYTES_MAX: usize = 16 << 20;

/// One unit, as it is kept for ever.
#[derive(Serialize, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    pub change: Change,
    pub mark: Option<Mark>,
}

/// Entries on their way into a block.
#[derive(Default)]
pub struct Builder(Vec<u8>);

impl Builder {
    /// Appends an entry's bytes.
    pub fn push(&mut self, entry: &[u8]) {
        // Texts are bounded, and so are entries.
        let length = u32::try_from(entry.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(entry);
    }

    /// How many bytes the entries take as they are.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }

    /// The block, and an empty one begun.
    pub fn finish(&mut self) -> Vec<u8> {
        let block = [&[FORMAT], &*compress_prepend_size(&self.0)].concat();
        self.0.clear();
        block
    }
}

/// An entry's bytes.
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
pub fn read(number: u64, block: &[u8]) -> Result<Vec<Entry>, StoreError> {
    let Opened { content, .. } = &Opened::new(number, block)?;
    split(content).map(|entry| decode(number, entry)).collect()
}

/// One entry of a block; `None` if it has fewer.
pub fn read_one(number: u64, block: &[u8], index: u32) -> Result<Option<Entry>, StoreError> {
    Opened::new(number, block)?.entry(index)
}

/// A block, of which some entries are to be read.
pub struct Opened {
    pub number: u64,
    content: Vec<u8>,
}

impl Opened {
    pub fn new(number: u64, block: &[u8]) -> Result<Self, StoreError> {
        let compressed = match block.split_first() {
            Some((&FORMAT, compressed)) => compressed,
            _ => return Err(StoreError(format!("block {number} has an unknown format"))),
        };
        let (length, compressed) =
            uncompressed_size(compressed).map_err(|error| damaged(number, error))?;
        if length > CONTENT_BYTES_MAX {
            return Err(damaged(number, "it claims to be larger than any block is"));
        }
        let content = decompress(compressed, length).map_err(|error| damaged(number, error))?;
        if content.len() < length {
            return Err(damaged(number, "its end is missing"));
        }
        Ok(Self { number, content })
    }

    /// One of its entries; `None` if it has fewer.
    pub fn entry(&self, index: u32) -> Result<Option<Entry>, StoreError> {
        let found = split(&self.content).nth(index as usize);
        found.map(|entry| decode(self.number, entry)).transpose()
    }
}

/// The entries' bytes; those of the last are fewer than its length says where some are missing.
fn split(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = content;
    iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (length, after) = rest.split_first_chunk().unwrap_or((&[0; 4], &[]));
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let entry;
        (entry, rest) = after.split_at(length.min(after.len()));
        Some(entry)
    })
}

fn decode(number: u64, entry: &[u8]) -> Result<Entry, StoreError> {
    match postcard::take_from_bytes(entry) {
        Ok((entry, [])) => Ok(entry),
        Ok(_) => Err(damaged(number, "an entry is longer than its unit")),
        Err(error) => Err(damaged(number, error)),
    }
}

fn damaged(number: u64, problem: impl fmt::Display) -> StoreError {
    StoreError(format!("block {number} is damaged: {problem}"))
}

#[cfg(test)]
mod tests {
    use tollgate_domain::Subscription;

    use super::*;

    fn block(units: u32) -> Vec<u8> {
        let mut block = Builder::default();
        for unit in 0..units {
            let change = Change::Subscribed {
                subject: format!("user-{unit}").parse().unwrap(),
                subscription: Subscription {
                    plan: "pro".parse().unwrap(),
                    status: tollgate_domain::Status::Active,
                    billing_cycle: tollgate_domain::BillingCycle::Monthly,
                    calendar: tollgate_domain::Calendar::default(),
                    auto_renew: true,
                    since: Timestamp::EPOCH,
                },
                raised: Box::default(),
            };
            block.push(&encode(Timestamp::EPOCH, &change, None).unwrap());
        }
        block.finish()
    }

    fn subject(entry: &Entry) -> String {
        entry.change.levels()[0].to_string()
    }

    #[test]
    fn each_entry_is_read_alone_as_among_all() {
        let block = block(40);
        let all = read(7, &block).unwrap();
        assert_eq!(all.len(), 40);
        for (index, entry) in (0..).zip(&all) {
            let alone = read_one(7, &block, index).unwrap().unwrap();
            assert_eq!(
                (subject(&alone), subject(entry)),
                (format!("user-{index}"), subject(&alone))
            );
        }
        assert!(read_one(7, &block, 40).unwrap().is_none());
    }

    #[test]
    fn what_resembles_each_other_takes_little_room() {
        assert!(block(100).len() * 4 < block(1).len() * 100);
    }

    #[test]
    fn a_damaged_block_is_an_error_that_names_it() {
        let whole = block(3);
        for length in 0..whole.len() {
            let error = read(7, &whole[..length]).err().expect("a block without its end");
            assert!(error.0.starts_with("block 7 "), "{error}");
        }
        let huge = [&[FORMAT], &u32::MAX.to_le_bytes()[..], &whole[5..]].concat();
        assert!(read(7, &huge).err().expect("a size out of bounds").0.contains("larger than any"));
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x55;
            // Whatever it says, it is said and not a panic.
            let _ = (read(7, &flipped), read_one(7, &flipped, 1));
        }
    }
}
