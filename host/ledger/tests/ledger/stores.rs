//! The stores that the ledger can stand on.

pub use tollgate_ledger::store::memory::MemoryStore;
pub use tollgate_ledger::store::sled::SledStore;

/// Runs a promise on every store.
macro_rules! on_every_store {
    ($($(#[$doc:meta])* async fn $name:ident($store:ident: Arc<impl Store>) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn promise($store: Arc<impl Store>) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn in_memory() {
                promise(Arc::new($crate::stores::MemoryStore::default())).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn in_sled() {
                let folder = tempfile::tempdir().unwrap();
                promise(Arc::new($crate::stores::SledStore::open(folder.path()).unwrap())).await;
            }
        }
    )*};
}
