//! Bloom filters: which names a run does not have.

use crate::store::StoreError;
use crate::store::sled::overlay::EventName;
use crate::store::sled::rows::VALUE_BYTES_MAX;

/// With seven probes, one name in a hundred is looked for in vain.
const BITS_A_NAME: u64 = 10;
const PROBES: u64 = 7;

pub struct Filter(Vec<u64>);

impl Filter {
    /// An empty one, for so many names.
    pub fn for_names(names: u64) -> Self {
        Self(vec![0; words(names)])
    }

    /// One that was stored for so many names, row by row.
    pub fn load<R: AsRef<[u8]>>(
        names: u64,
        rows: impl Iterator<Item = Result<R, StoreError>>,
    ) -> Result<Self, StoreError> {
        let mut filter = Vec::with_capacity(words(names));
        for row in rows {
            let row = row?;
            let (words, _) = row.as_ref().as_chunks();
            filter.extend(words.iter().map(|word| u64::from_be_bytes(*word)));
        }
        match filter.is_empty() {
            true => Err(StoreError("the filter of a run of names is missing".into())),
            false => Ok(Self(filter)),
        }
    }

    /// As it is stored.
    pub fn rows(&self) -> impl Iterator<Item = Vec<u8>> {
        let rows = self.0.chunks(VALUE_BYTES_MAX / size_of::<u64>());
        rows.map(|words| words.iter().flat_map(|word| word.to_be_bytes()).collect())
    }

    pub fn add(&mut self, name: &EventName) {
        for (word, bit) in self.probes(name) {
            self.0[word] |= bit;
        }
    }

    /// Whether the name may be one of them; if not, it is none of them.
    pub fn may_have(&self, name: &EventName) -> bool {
        self.probes(name).all(|(word, bit)| self.0[word] & bit != 0)
    }

    /// Names are hashes already: their halves give all probes.
    fn probes(&self, name: &EventName) -> impl Iterator<Item = (usize, u64)> + use<> {
        let hash = u128::from_be_bytes(*name);
        let (start, step) = ((hash >> 64) as u64, hash as u64 | 1);
        let bits = self.0.len() as u64 * 64;
        (0..PROBES).map(move |probe| {
            let bit = start.wrapping_add(probe.wrapping_mul(step)) % bits;
            ((bit / 64) as usize, 1 << (bit % 64))
        })
    }
}

/// How many words hold the bits for so many names.
fn words(names: u64) -> usize {
    usize::try_from(names.saturating_mul(BITS_A_NAME).div_ceil(64)).unwrap_or(usize::MAX).max(1)
}
