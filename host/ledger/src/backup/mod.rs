//! Backups: everything that a ledger is made of, as one stream of bytes.
//!
//! A ledger follows from its blocks, which never change: a backup is the blocks there were when
//! it began, whatever is committed meanwhile, and a restore derives the rest anew. Of refusals it
//! has those that are still kept, and the restored ledger counts no others. No store's
//! own form goes into it: what one store backs up, another can be restored from.
//!
//! # The format
//!
//! Numbers are little-endian. A backup begins with the 16 bytes `tollgate backup\n` and the
//! number of the format (u32), which is 1. What follows are frames:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | the kind of the frame |
//! | 4 | the length of its content |
//! | length | its content |
//! | 4 | the CRC-32 (as in gzip) of all three |
//!
//! | kind | content | where |
//! |---|---|---|
//! | `H` head | the number of blocks (u64), the version of tollgate that made it (text) | first, once |
//! | `B` block | its number (u64), and the block as [`crate::store::Store::block`] gives it | in order, without a gap |
//! | `R` refusals | a block's number among those of refusals (u64), and the block as [`crate::store::Store::refusals_block`] gives it | after the blocks, in order |
//! | `S` shelved | the number of frames that the same name still has (u32), the length of the name (u32), the name, and a piece of what [`crate::store::Store::shelved`] gives for it, 1 MiB but for the last | after the refusals, in the order of the names |
//! | `E` end | the number of frames before it (u64), the number of events (u64), the SHA-256 of all bytes before it | last, once |
//!
//! After the end there is nothing. A CRC tells where a backup is damaged, the end that it is
//! whole. Other kinds of frames may come: a reader that does not know one refuses the backup, as
//! it would restore less than was there. Only what makes this description wrong changes the
//! number of the format.

mod broken;
mod frame;
mod pages;
mod reader;
mod writer;

pub use broken::{Broken, Place};
pub use pages::Backup;
pub use reader::{Head, Reader, Record, Summary};

/// The version of tollgate that this is part of.
pub(crate) const PROGRAM: &str = env!("CARGO_PKG_VERSION");
