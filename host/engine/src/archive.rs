//! Where what revisions consist of is kept. The engine knows no store: whoever opens it brings one.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// Bytes under names, which outlive the process. What is kept under a name never changes.
pub trait Archive: Send + Sync {
    /// Returns once the bytes are on disk, all of them or none. Where something is kept under the
    /// name already, that stays. May block.
    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), ArchiveError>;

    fn find(&self, name: &str) -> Result<Option<Vec<u8>>, ArchiveError>;

    /// The names that begin so, in their order.
    fn names(&self, prefix: &str) -> Result<Vec<String>, ArchiveError>;
}

/// The archive cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ArchiveError(pub String);

/// An archive that forgets everything at the end.
#[derive(Default)]
pub struct MemoryArchive(Mutex<BTreeMap<String, Vec<u8>>>);

impl Archive for MemoryArchive {
    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.0.lock().entry(name.to_owned()).or_insert_with(|| bytes.to_vec());
        Ok(())
    }

    fn find(&self, name: &str) -> Result<Option<Vec<u8>>, ArchiveError> {
        Ok(self.0.lock().get(name).cloned())
    }

    fn names(&self, prefix: &str) -> Result<Vec<String>, ArchiveError> {
        let names = self.0.lock();
        Ok(names.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
    }
}
