//! Who is told of alerts, and what has become of telling them.

use std::sync::Arc;

use tollgate_domain::{Preferences, SubjectId};
use tollgate_ledger::{DeliveryFilter, DeliveryId, LedgerError, Listed};

use super::{Error, Service};
use crate::notify::Guard;

/// A page of deliveries, the newest first.
pub struct Deliveries {
    pub list: Vec<Listed>,
    /// Whether there are older ones.
    pub has_more: bool,
}

impl Service {
    /// A level's own preferences, or those of everybody who has none.
    pub async fn preferences(
        &self,
        owner: Option<SubjectId>,
    ) -> Result<Option<Arc<Preferences>>, Error> {
        self.read(move |ledger| ledger.preferences(owner.as_ref())).await
    }

    /// The nearest level above a level that has preferences; `None` within for those of everybody,
    /// and without if there are none at all.
    pub async fn preferences_above(
        &self,
        subject: SubjectId,
    ) -> Result<Option<Option<SubjectId>>, Error> {
        let levels = subject.levels().rev().skip(1).map(Some).chain([None]).collect::<Vec<_>>();
        let first = move |ledger: &crate::app::Ledger| -> Result<_, LedgerError> {
            for owner in levels {
                if ledger.preferences(owner.as_ref())?.is_some() {
                    return Ok(Some(owner));
                }
            }
            Ok(None)
        };
        self.read(first).await
    }

    /// Says where a level's alerts go from now on, or, without a level, those of everybody who has
    /// no preferences.
    pub async fn prefer(
        &self,
        owner: Option<SubjectId>,
        preferences: Option<Preferences>,
    ) -> Result<(), Error> {
        Ok(self.ledger.prefer(owner, preferences, self.now()).await?)
    }

    /// Which addresses webhooks may go to.
    pub fn webhook_guard(&self) -> Guard {
        let guard = self.notifier.as_ref().map(|notifier| notifier.guard());
        guard.unwrap_or(Guard { allows_private: false })
    }

    pub async fn deliveries(&self, which: DeliveryFilter) -> Result<Deliveries, Error> {
        let limit = which.limit;
        let which = DeliveryFilter { limit: limit + 1, ..which };
        let mut list = self.read(move |ledger| ledger.deliveries(&which)).await?;
        let has_more = list.len() > limit;
        list.truncate(limit);
        Ok(Deliveries { list, has_more })
    }

    /// Has a delivery tried again, now.
    pub async fn retry_delivery(&self, id: DeliveryId) -> Result<Listed, Error> {
        let delivery = self.ledger.retry_delivery(id, self.now()).await?;
        if let Some(notifier) = &self.notifier {
            notifier.wake();
        }
        Ok((id, delivery))
    }
}
