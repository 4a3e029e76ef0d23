//! What policies' revisions consist of lies in the ledger's store, and so in its backups.

use std::sync::Arc;

use tollgate_engine::{Archive, ArchiveError};
use tollgate_ledger::store::{Store, StoreError};

/// The shelf of a store, as the policies' archive.
pub struct Shelf<S>(pub Arc<S>);

impl<S: Store> Archive for Shelf<S> {
    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.0.shelve(name, bytes).map_err(failed)
    }

    fn find(&self, name: &str) -> Result<Option<Vec<u8>>, ArchiveError> {
        self.0.shelved(name).map_err(failed)
    }

    fn names(&self, prefix: &str) -> Result<Vec<String>, ArchiveError> {
        self.0.shelf(prefix).map_err(failed)
    }
}

fn failed(error: StoreError) -> ArchiveError {
    ArchiveError(error.to_string())
}
