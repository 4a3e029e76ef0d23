//! All facts, in the order in which they were committed.

use std::ops::Range;
use std::sync::Arc;

use tollgate_domain::Span;

use crate::alert::{Alerted, raised_by};
use crate::event::EventId;
use crate::ledger::LedgerError;
use crate::store::{Fact, Store};

/// Few enough that a page takes next to no memory or time.
const PAGE_BLOCKS: usize = 16;

/// The events that were committed when this was made and that occurred in a span, and their
/// corrections, read page by page: blocks never change, so that whatever is recorded meanwhile makes no difference.
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

    /// The next facts, perhaps none of them in the span; `None` after the last. May block.
    pub fn page(&mut self) -> Result<Option<Vec<(EventId, Fact)>>, LedgerError> {
        if self.blocks.is_empty() {
            return Ok(None);
        }
        let mut page = Vec::new();
        for block in self.blocks.by_ref().take(PAGE_BLOCKS) {
            let facts = self.store.facts_of(block)?;
            page.extend(
                facts.into_iter().filter(|(_, fact)| self.span.contains(fact.occurred_at())),
            );
        }
        Ok(Some(page))
    }

    /// The alerts that a fact of a page raised, as they were raised. May block.
    pub fn alerts_of(&self, id: EventId, fact: &Fact) -> Result<Vec<Alerted>, LedgerError> {
        Ok(raised_by(&*self.store, id, fact.raised(), fact.period())?)
    }
}
