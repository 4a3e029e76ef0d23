//! A hash for short names from a catalogue: FNV-1a, a fraction of the standard one's time.

use std::hash::{BuildHasherDefault, Hasher};

/// For maps whose keys an operator wrote, or whose size is bounded.
pub(crate) type Hashed = BuildHasherDefault<Fnv>;

pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
