//! Bytes under names, which follow from no block: what others than the ledger keep in it.
//!
//! Piece 0 tells the length and the checksum of the pieces behind it, and is written last: where
//! it is, they are.

use super::{Key, Rows, VALUE_BYTES_MAX};
use crate::store::StoreError;

/// Pieces written in one go: few enough that no commit waits long for them.
const BATCH_PIECES: usize = 32;

/// The length (u64) and the CRC-32 of what is kept.
const HEAD_BYTES: usize = 12;

impl Rows {
    /// Returns when it is on disk, unless something was kept under this name before.
    pub fn shelve(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        if name.is_empty() || name.contains('\0') {
            return Err(StoreError("what is kept must have a name without zeros".into()));
        }
        if self.tree.contains_key(Key::shelved(name, 0).as_bytes())? {
            return Ok(());
        }
        let pieces: Vec<_> = (1..).zip(bytes.chunks(VALUE_BYTES_MAX)).collect();
        for some in pieces.chunks(BATCH_PIECES) {
            let mut batch = sled::Batch::default();
            for (number, piece) in some {
                batch.insert(Key::shelved(name, *number).as_bytes(), *piece);
            }
            self.write(batch)?;
        }
        let mut batch = sled::Batch::default();
        batch.insert(Key::shelved(name, 0).as_bytes(), &head(bytes)[..]);
        self.write_durably(batch)
    }

    /// What is kept under a name.
    pub fn shelved(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(stored) = self.tree.get(Key::shelved(name, 0).as_bytes())? else {
            return Ok(None);
        };
        let damaged = || StoreError(format!("`{name}` is damaged"));
        let length = stored.first_chunk().ok_or_else(damaged)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged())?;
        let mut bytes = Vec::new();
        let pieces = Key::shelved(name, 1).0..=Key::shelved(name, u32::MAX).0;
        for piece in self.tree.range(pieces).values() {
            bytes.extend_from_slice(&piece?);
        }
        // An attempt that was cut off may have left pieces behind these.
        bytes.truncate(length);
        if *stored != head(&bytes)[..] { Err(damaged()) } else { Ok(Some(bytes)) }
    }

    /// The names that begin so, in their order.
    pub fn shelf(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        let begins_so = Key::new(b'T', &[prefix.as_bytes()]);
        let mut next = begins_so.0.clone();
        while let Some((key, _)) = self.tree.get_gt(&next)? {
            if !key.starts_with(&begins_so.0) {
                break;
            }
            let name = key.get(1..).and_then(|rest| rest.split(|byte| *byte == 0).next());
            let name = name.and_then(|name| str::from_utf8(name).ok()).unwrap_or_default();
            if self.tree.contains_key(Key::shelved(name, 0).as_bytes())? {
                names.push(name.to_owned());
            }
            next = Key::shelved(name, u32::MAX).0;
        }
        Ok(names)
    }
}

fn head(bytes: &[u8]) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    let (length, checksum) = head.split_at_mut(8);
    length.copy_from_slice(&(bytes.len() as u64).to_le_bytes());
    checksum.copy_from_slice(&crc32fast::hash(bytes).to_le_bytes());
    head
}
