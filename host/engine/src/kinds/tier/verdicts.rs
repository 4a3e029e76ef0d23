//! Verdicts that a policy gave, and need not give again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::RwLock;
use tollgate_domain::Opinion;

use super::scope::Key;

/// Where there are more, all are forgotten: callers name providers, and there is no end of names.
const KEPT_MAX: usize = 4096;

/// By what they depend on.
#[derive(Default)]
pub(crate) struct Verdicts {
    kept: RwLock<HashMap<Key, Opinion>>,
    found: AtomicU64,
}

impl Verdicts {
    /// A verdict, and how many were found before.
    pub fn find(&self, key: &Key) -> Option<(Opinion, u64)> {
        let opinion = self.kept.read().get(key).cloned()?;
        Some((opinion, self.found.fetch_add(1, Relaxed)))
    }

    pub fn keep(&self, key: Key, opinion: &Opinion) {
        let mut kept = self.kept.write();
        if kept.len() >= KEPT_MAX && !kept.contains_key(&key) {
            kept.clear();
        }
        kept.insert(key, opinion.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_are_kept() {
        let verdicts = Verdicts::default();
        let key = |number: usize| Key::from_slice(&number.to_be_bytes());
        for number in 0..=KEPT_MAX {
            verdicts.keep(key(number), &Opinion::default());
        }
        assert!(verdicts.find(&key(0)).is_none());
        assert_eq!(verdicts.find(&key(KEPT_MAX)), Some((Opinion::default(), 0)));
        assert_eq!(verdicts.find(&key(KEPT_MAX)), Some((Opinion::default(), 1)));
    }
}
