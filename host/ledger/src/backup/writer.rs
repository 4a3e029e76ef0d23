//! Puts a backup together: pure, the bytes go to the end of what is given.

use sha2::{Digest, Sha256};

use super::PROGRAM;
use super::frame::{
    BLOCK, CONTENT_BYTES_MAX, END, FORMAT, HEAD, MAGIC, REFUSALS, SHELVED, checksum,
};
use crate::store::StoreError;

/// What is shelved is cut into pieces of this size.
const PIECE_BYTES: usize = 1024 * 1024;

/// A backup that has begun and not ended.
pub struct Writer {
    frames: u64,
    digest: Sha256,
}

impl Writer {
    /// Begins a backup of so many blocks.
    pub fn begin(blocks: u64, out: &mut Vec<u8>) -> Result<Self, StoreError> {
        let mut writer = Self { frames: 0, digest: Sha256::new() };
        let start = [&MAGIC[..], &FORMAT.to_le_bytes()].concat();
        writer.digest.update(&start);
        out.extend(start);
        writer.frame(HEAD, &[&blocks.to_le_bytes(), PROGRAM.as_bytes()], out)?;
        Ok(writer)
    }

    pub fn block(
        &mut self,
        number: u64,
        block: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        self.frame(BLOCK, &[&number.to_le_bytes(), block], out)
    }

    pub fn refusals(
        &mut self,
        number: u64,
        block: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        self.frame(REFUSALS, &[&number.to_le_bytes(), block], out)
    }

    pub fn shelved(
        &mut self,
        name: &str,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let too_large = |_| StoreError(format!("`{name}` is too large for a backup"));
        let mut pieces: Vec<_> = bytes.chunks(PIECE_BYTES).collect();
        if pieces.is_empty() {
            pieces.push(&[]);
        }
        let name_length = u32::try_from(name.len()).map_err(too_large)?;
        for (piece, left) in pieces.iter().zip((0..pieces.len()).rev()) {
            let left = u32::try_from(left).map_err(too_large)?;
            let parts = [&left.to_le_bytes(), &name_length.to_le_bytes()[..], name.as_bytes()];
            self.frame(SHELVED, &[parts[0], parts[1], parts[2], piece], out)?;
        }
        Ok(())
    }

    /// Ends a backup of so many events.
    pub fn end(mut self, events: u64, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let (frames, digest) = (self.frames, self.digest.clone().finalize());
        self.frame(END, &[&frames.to_le_bytes(), &events.to_le_bytes(), &digest], out)
    }

    fn frame(&mut self, kind: u8, content: &[&[u8]], out: &mut Vec<u8>) -> Result<(), StoreError> {
        let length = content.iter().map(|part| part.len()).sum::<usize>();
        let length = u32::try_from(length).ok().filter(|length| *length <= CONTENT_BYTES_MAX);
        let length = length.ok_or_else(|| StoreError("too large for a backup".into()))?;
        let begin = out.len();
        out.push(kind);
        out.extend(length.to_le_bytes());
        content.iter().for_each(|part| out.extend_from_slice(part));
        out.extend(checksum(kind, length, content).to_le_bytes());
        self.digest.update(&out[begin..]);
        self.frames += 1;
        Ok(())
    }
}
