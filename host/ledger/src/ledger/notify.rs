//! Who is told of alerts, and what has become of telling them.

use std::sync::Arc;

use tollgate_domain::{ChannelKind, Preferences, SubjectId, Timestamp};

use super::{Ledger, LedgerError};
use crate::alert::{AlertId, Alerted};
use crate::delivery::{Delivery, DeliveryFilter, DeliveryId, DeliveryState, Listed, Progress};
use crate::once::Turn;
use crate::store::{Change, Store, Unit};

impl<S: Store> Ledger<S> {
    /// Says where a level's alerts go from now on, or, without a level, those of everybody who
    /// has no preferences. Without preferences the level has none of its own any more.
    pub async fn prefer(
        &self,
        owner: Option<SubjectId>,
        preferences: Option<Preferences>,
        clock: Timestamp,
    ) -> Result<(), LedgerError> {
        let preferences = preferences.map(Arc::new);
        self.commit_apart(Change::Preferred { owner, preferences }, clock).await
    }

    /// A level's own preferences, or those of everybody who has none. May block.
    pub fn preferences(
        &self,
        owner: Option<&SubjectId>,
    ) -> Result<Option<Arc<Preferences>>, LedgerError> {
        Ok(self.store.preferences(owner)?)
    }

    /// Deliveries, the newest first. May block.
    pub fn deliveries(&self, which: &DeliveryFilter) -> Result<Vec<Listed>, LedgerError> {
        Ok(self.store.deliveries(which)?)
    }

    /// The first so many deliveries of a kind that are due and that `is_wanted`. May block.
    pub fn deliveries_due(
        &self,
        kind: ChannelKind,
        clock: Timestamp,
        limit: usize,
        is_wanted: impl Fn(DeliveryId, &Delivery) -> bool,
    ) -> Result<Vec<Listed>, LedgerError> {
        Ok(self.store.deliveries_due(kind, self.now(clock), limit, &is_wanted)?)
    }

    /// An alert by its number. May block.
    pub fn alert(&self, id: AlertId) -> Result<Alerted, LedgerError> {
        self.alerted(id, None)
    }

    /// Notes what has become of deliveries: all of it or nothing.
    pub async fn progress(
        &self,
        progress: Vec<(DeliveryId, Progress)>,
        clock: Timestamp,
    ) -> Result<(), LedgerError> {
        self.commit_apart(Change::Delivered(Arc::new(progress)), clock).await
    }

    /// Has a delivery tried again, now, and as often as at first.
    pub async fn retry_delivery(
        &self,
        id: DeliveryId,
        clock: Timestamp,
    ) -> Result<Arc<Delivery>, LedgerError> {
        let known = self.store.delivery(id)?.ok_or(LedgerError::UnknownDelivery)?;
        if known.state == DeliveryState::Sent {
            return Err(LedgerError::DeliverySent);
        }
        self.progress(vec![(id, Progress::Retried)], clock).await?;
        self.store.delivery(id)?.ok_or(LedgerError::UnknownDelivery)
    }

    /// When an alert first arrived anywhere.
    pub(super) fn sent_at(&self, alert: AlertId) -> Result<Option<Timestamp>, LedgerError> {
        let deliveries = self.store.deliveries_of(alert)?;
        let sent = deliveries.iter().filter(|(_, own)| own.state == DeliveryState::Sent);
        Ok(sent.map(|(_, own)| own.changed_at).min())
    }

    /// Commits what touches no account, and so conflicts with nothing.
    async fn commit_apart(&self, change: Change, clock: Timestamp) -> Result<(), LedgerError> {
        loop {
            let (change, turn) = (change.clone(), Turn::default());
            let unit = Unit { at: self.now(clock), accounts: vec![], change, turn };
            let outcome = self.committer.commit_apart(unit).await;
            if outcome.map_err(|_| self.committer.failed())??.is_ok() {
                return Ok(());
            }
        }
    }
}
