//! What was refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_domain::PeriodId;
use tollgate_ledger::store::RefusalFilter;
use tollgate_ledger::{Refusal, RefusalCounts, RefusalId};

use super::{Error, Service};

/// Refusals, the newest first.
pub struct Refusals {
    pub list: Vec<(RefusalId, Arc<Refusal>)>,
    /// Whether there are older ones.
    pub has_more: bool,
    /// How many there were of the level that is asked about, kept or not.
    pub counts: BTreeMap<PeriodId, RefusalCounts>,
}

impl Service {
    pub async fn refusals(&self, which: &RefusalFilter) -> Result<Refusals, Error> {
        let one_more = RefusalFilter { limit: which.limit.saturating_add(1), ..which.clone() };
        let mut list = self.ledger.refusals(one_more).await?;
        let has_more = list.len() > which.limit;
        list.truncate(which.limit);
        let counts = match &which.subject {
            Some(subject) => self.ledger.refusal_counts(subject).await?,
            None => BTreeMap::new(),
        };
        Ok(Refusals { list, has_more, counts })
    }
}
