//! All events, in the order in which they were committed.

use std::ops::Range;
use std::sync::Arc;

use tollgate_domain::Span;

use crate::ledger::{LedgerError, Recorded};
use crate::store::Store;

/// Few enough that a page takes next to no memory or time.
const PAGE_BLOCKS: usize = 16;

/// The events that were committed when this was made and that occurred in a span, read page by
/// page: blocks never change, so that whatever is recorded meanwhile makes no difference.
pub struct Events<S> {
    store: Arc<S>,
    span: Span,
    blocks: Range<u64>,
}

impl<S: Store> Events<S> {
    pub fn new(store: Arc<S>, span: Span) -> Self {
        let blocks = store.blocks();
        Self { store, span, blocks }
    }

    /// The next events, perhaps none of them in the span; `None` after the last. May block.
    pub fn page(&mut self) -> Result<Option<Vec<Recorded>>, LedgerError> {
        if self.blocks.is_empty() {
            return Ok(None);
        }
        let mut page = Vec::new();
        for block in self.blocks.by_ref().take(PAGE_BLOCKS) {
            for (id, event) in self.store.events_of(block)? {
                if self.span.contains(event.report.occurred_at) {
                    page.push(Recorded { id, event, duplicate: false, replayed: false });
                }
            }
        }
        Ok(Some(page))
    }
}
