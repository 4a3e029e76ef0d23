//! What writer and reader agree on.

use crc32fast::Hasher;

pub const MAGIC: &[u8; 16] = b"tollgate backup\n";

pub const FORMAT: u32 = 1;

pub const HEAD: u8 = b'H';
pub const BLOCK: u8 = b'B';
pub const REFUSALS: u8 = b'R';
pub const SHELVED: u8 = b'S';
pub const END: u8 = b'E';

/// No content is longer. A block is 8 KiB, or a single unit, which came in a request of 1 MiB.
pub const CONTENT_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// The checksum at the end of a frame.
pub fn checksum(kind: u8, length: u32, content: &[&[u8]]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&[kind]);
    hasher.update(&length.to_le_bytes());
    content.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}
