//! Answers that a policy gave, and need not give again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::RwLock;
use smallvec::SmallVec;

/// Where there are more, all are forgotten: callers name providers and models, and there is no end
/// of names.
const KEPT_MAX: usize = 4096;

/// Everything that an answer depends on.
pub(crate) type Key = SmallVec<[u8; 128]>;

/// These end a text, and stand for one that is not there: no text contains them.
pub(super) const END: u8 = 0xff;
pub(super) const NONE: u8 = 0xfe;

/// Answers by what they depend on.
pub(crate) struct Kept<V> {
    kept: RwLock<HashMap<Key, V>>,
    found: AtomicU64,
}

impl<V> Default for Kept<V> {
    fn default() -> Self {
        Self { kept: RwLock::default(), found: AtomicU64::new(0) }
    }
}

impl<V: Clone> Kept<V> {
    /// What is kept under a key, and how often anything was found before.
    pub fn find(&self, key: &Key) -> Option<(V, u64)> {
        let value = self.kept.read().get(key).cloned()?;
        Some((value, self.found.fetch_add(1, Relaxed)))
    }

    pub fn keep(&self, key: Key, value: V) {
        let mut kept = self.kept.write();
        if kept.len() >= KEPT_MAX && !kept.contains_key(&key) {
            kept.clear();
        }
        kept.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_are_kept() {
        let kept = Kept::default();
        let key = |number: usize| Key::from_slice(&number.to_be_bytes());
        for number in 0..=KEPT_MAX {
            kept.keep(key(number), number);
        }
        assert!(kept.find(&key(0)).is_none());
        assert_eq!(kept.find(&key(KEPT_MAX)), Some((KEPT_MAX, 0)));
        assert_eq!(kept.find(&key(KEPT_MAX)), Some((KEPT_MAX, 1)));
    }
}
