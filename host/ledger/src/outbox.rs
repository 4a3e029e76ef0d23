//! The outbox: which deliveries follow from what was committed.
//!
//! An alert's deliveries are those that the preferences in force named when the alert was
//! committed, so that they follow from the blocks as all else does: there is no moment at which an
//! alert is on disk and its deliveries are not.

use std::sync::Arc;

use tollgate_domain::{Preferences, SubjectId, Timestamp};

use crate::alert::AlertId;
use crate::delivery::{Delivery, DeliveryId, DeliveryState, Listed};
use crate::event::{EventId, Raised};
use crate::store::{Change, StoreError};

/// What stood before a unit.
pub(crate) trait Before {
    /// A level's own preferences, or those for everybody else.
    fn preferences(
        &self,
        owner: Option<&SubjectId>,
    ) -> Result<Option<Arc<Preferences>>, StoreError>;

    /// A delivery, unless it contains the unit already.
    fn delivery(&self, id: DeliveryId) -> Result<Option<Arc<Delivery>>, StoreError>;
}

/// What the deliveries are that a unit makes or changes; `first` is how many alerts its block has
/// raised before it.
pub(crate) fn changed(
    before: &impl Before,
    unit: EventId,
    at: Timestamp,
    change: &Change,
    first: usize,
) -> Result<Vec<Listed>, StoreError> {
    if let Change::Delivered(progress) = change {
        let mut changed: Vec<Listed> = Vec::new();
        for (id, progress) in progress.iter() {
            if let Some(delivery) = before.delivery(*id)? {
                changed.push((*id, Arc::new(delivery.after(progress, at))));
            }
        }
        return Ok(changed);
    }
    let mut made = Vec::new();
    for (ordinal, raised) in (first..).zip(change.raised()) {
        deliveries_of(before, AlertId::new(unit.block, ordinal), raised, &mut made)?;
    }
    Ok(made)
}

/// Those of an alert: of its level's own preferences, or else of the nearest level above that has
/// some, or else of those for everybody.
fn deliveries_of(
    before: &impl Before,
    alert: AlertId,
    Raised { alert: about, raised_at, .. }: &Raised,
    made: &mut Vec<Listed>,
) -> Result<(), StoreError> {
    let owners = about.subject.levels().rev().map(Some).chain([None]);
    for owner in owners {
        let Some(preferences) = before.preferences(owner.as_ref())? else { continue };
        for (ordinal, channel) in (0..).zip(preferences.channels(&about.severity)) {
            let delivery = Delivery {
                subject: about.subject.clone(),
                owner: owner.clone(),
                channel,
                state: DeliveryState::Pending,
                due_at: preferences.due_at(&about.severity, *raised_at),
                attempts: 0,
                error: None,
                changed_at: *raised_at,
            };
            made.push((DeliveryId { alert, ordinal }, Arc::new(delivery)));
        }
        break;
    }
    Ok(())
}
