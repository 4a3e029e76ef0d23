//! Bloom filters: which keys a run does not have.

use crate::store::StoreError;
use crate::store::sled::rows::VALUE_BYTES_MAX;

/// With seven probes, one key in a hundred is looked for in vain.
const BITS_A_KEY: u64 = 10;
const PROBES: u64 = 7;

/// Odd, and without a pattern: the digits of π.
const SPREAD: u128 = 0x243f_6a88_85a3_08d3_1319_8a2e_0370_7345;

/// Of keys, or of what they are asked for by.
pub struct Filter(Vec<u64>);

/// What filters know of a key.
#[derive(Clone, Copy)]
pub struct Hash(u128);

impl Filter {
    /// An empty one, for so many keys.
    pub fn for_keys(keys: u64) -> Self {
        Self(vec![0; words(keys)])
    }

    /// One that was stored for so many keys, row by row.
    pub fn load<R: AsRef<[u8]>>(
        keys: u64,
        rows: impl Iterator<Item = Result<R, StoreError>>,
    ) -> Result<Self, StoreError> {
        let mut filter = Vec::with_capacity(words(keys));
        for row in rows {
            let row = row?;
            let (words, _) = row.as_ref().as_chunks();
            filter.extend(words.iter().map(|word| u64::from_be_bytes(*word)));
        }
        match filter.is_empty() {
            true => Err(StoreError("the filter of a run is missing".into())),
            false => Ok(Self(filter)),
        }
    }

    /// As it is stored.
    pub fn rows(&self) -> impl Iterator<Item = Vec<u8>> {
        let rows = self.0.chunks(VALUE_BYTES_MAX / size_of::<u64>());
        rows.map(|words| words.iter().flat_map(|word| word.to_be_bytes()).collect())
    }

    pub fn add(&mut self, key: Hash) {
        for (word, bit) in self.probes(key) {
            self.0[word] |= bit;
        }
    }

    /// Whether the key may be one of them; if not, it is none of them.
    pub fn may_have(&self, key: Hash) -> bool {
        self.probes(key).all(|(word, bit)| self.0[word] & bit != 0)
    }

    /// A hash's halves give all probes.
    fn probes(&self, Hash(hash): Hash) -> impl Iterator<Item = (usize, u64)> + use<> {
        let (start, step) = ((hash >> 64) as u64, hash as u64 | 1);
        let bits = self.0.len() as u64 * 64;
        (0..PROBES).map(move |probe| {
            let bit = start.wrapping_add(probe.wrapping_mul(step)) % bits;
            ((bit / 64) as usize, 1 << (bit % 64))
        })
    }
}

impl Hash {
    /// Much of a key is a hash already; what is not, as a time, is spread by multiplying.
    pub fn of(key: &[u8]) -> Self {
        let number = key.iter().fold(0, |number, byte| number << 8 | u128::from(*byte));
        Self(number.wrapping_mul(SPREAD))
    }
}

/// How many words hold the bits for so many keys.
fn words(keys: u64) -> usize {
    usize::try_from(keys.saturating_mul(BITS_A_KEY).div_ceil(64)).unwrap_or(usize::MAX).max(1)
}
