//! Which rows there are, for whoever looks at all of them.

use std::mem;

use sled::IVec;
use tollgate_domain::SubjectId;

use super::{Key, Rows, block_number, last_day, unreadable};
use crate::store::StoreError;
use crate::store::sled::overlay::Day;

impl Rows {
    /// The number of the last block; 0 if there is none.
    pub fn last_block(&self) -> Result<u64, StoreError> {
        let blocks = Key::block(0).0..Key::block(u64::MAX).0;
        self.tree.range(blocks).next_back().map_or(Ok(0), |last| block_number(&last?.0))
    }

    /// A block as it is stored.
    pub fn raw_block(&self, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let block = self.tree.get(Key::block(number).as_bytes())?;
        Ok(block.map(|block| block.to_vec()))
    }

    /// A block of refusals as it lies there.
    pub fn raw_refusals(&self, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.tree.get(Key::refusals(number).as_bytes())?.map(|block| block.to_vec()))
    }

    /// The subjects whose accounts have rows.
    pub fn accounts(&self) -> impl Iterator<Item = Result<SubjectId, StoreError>> {
        self.keys(b'A').map(|key| subject(&key?))
    }

    /// The days that have rows, and whose they are.
    pub fn all_days(&self) -> impl Iterator<Item = Result<(SubjectId, Day), StoreError>> {
        self.keys(b'D').map(|key| {
            let key = key?;
            let name = key.len().checked_sub(size_of::<Day>() + 1).and_then(|end| key.get(..end));
            Ok((subject(name.unwrap_or(&[]))?, last_day(&key)?))
        })
    }

    pub fn has(&self, key: &Key) -> Result<bool, StoreError> {
        Ok(self.tree.contains_key(key.part(0))?)
    }

    /// The keys of one kind, each once, without the number of the part. They end where sled
    /// fails: it would fail there for ever.
    pub(super) fn keys(&self, kind: u8) -> impl Iterator<Item = Result<IVec, StoreError>> {
        let mut intact = true;
        let keys = self.tree.scan_prefix([kind]).keys();
        let keys = keys.take_while(move |key| mem::replace(&mut intact, key.is_ok()));
        keys.filter_map(|key| match key {
            Ok(key) => key.strip_suffix(&[0]).map(|key| Ok(key.into())),
            Err(error) => Some(Err(error.into())),
        })
    }
}

/// The subject that a key names after its kind.
pub(super) fn subject(key: &[u8]) -> Result<SubjectId, StoreError> {
    let name = key.get(1..).and_then(|name| str::from_utf8(name).ok());
    name.and_then(|name| name.parse().ok()).ok_or_else(|| unreadable("the subject of a key"))
}
