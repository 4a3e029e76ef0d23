//! Rows on their way into the tree.

use serde::Serialize;

use super::{Key, Rows, VALUE_BYTES_MAX};
use crate::store::StoreError;

/// Rows written in one go behind the commits: few enough that no commit waits long for them.
const BATCH_ROWS: usize = 256;

/// Writes rows a batch at a time.
pub struct RowWriter<'a> {
    tree: &'a sled::Tree,
    pub batch: sled::Batch,
    waiting: usize,
}

impl<'a> RowWriter<'a> {
    pub fn to(rows: &'a Rows) -> Self {
        Self::to_tree(&rows.tree)
    }

    pub fn to_tree(tree: &'a sled::Tree) -> Self {
        Self { tree, batch: sled::Batch::default(), waiting: 0 }
    }

    pub fn put<T: Serialize>(&mut self, key: &Key, value: &T) -> Result<(), StoreError> {
        self.add(key, value)?;
        self.pause()
    }

    /// Puts a row into the same batch as what comes next, until there is a pause.
    pub fn add<T: Serialize>(&mut self, key: &Key, value: &T) -> Result<(), StoreError> {
        let bytes = postcard::to_stdvec(value)
            .map_err(|error| StoreError(format!("cannot encode a row: {error}")))?;
        let parts = bytes.chunks(VALUE_BYTES_MAX - 1).enumerate();
        let last = parts.len().saturating_sub(1);
        for (number, part) in parts {
            let name = u8::try_from(number).map_err(|_| StoreError("a row is too large".into()))?;
            let value = [&[u8::from(number < last)], part].concat();
            self.batch.insert(key.part(name), value);
        }
        self.waiting += 1;
        Ok(())
    }

    pub fn remove(&mut self, key: &Key) -> Result<(), StoreError> {
        self.batch.remove(key.part(0));
        self.waited()
    }

    /// Something was added to the batch, which may be enough of it.
    pub fn waited(&mut self) -> Result<(), StoreError> {
        self.waiting += 1;
        self.pause()
    }

    /// Where the batch may end, if it is enough.
    pub fn pause(&mut self) -> Result<(), StoreError> {
        if self.waiting < BATCH_ROWS { Ok(()) } else { self.flush() }
    }

    /// Writes what is in the batch, so that it can be read.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.waiting = 0;
        Ok(self.tree.apply_batch(std::mem::take(&mut self.batch))?)
    }

    pub fn finish(self) -> Result<(), StoreError> {
        Ok(self.tree.apply_batch(self.batch)?)
    }
}
