//! The outbox: that every alert's deliveries are there, as what has become of them says, and that
//! each is found where it is looked for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tollgate_domain::{Channel, Preferences, SubjectId, Timestamp};

use super::difference::Differences;
use crate::alert::AlertId;
use crate::delivery::{Delivery, DeliveryId, DeliveryState, Progress};
use crate::event::EventId;
use crate::store::sled::SledStore;
use crate::store::sled::block::Entry;
use crate::store::sled::rows::{Key, keys_of_delivery};
use crate::store::{Change, Store, StoreError};

#[derive(Default)]
pub struct Outbox {
    preferences: HashMap<Option<SubjectId>, Option<Arc<Preferences>>>,
    deliveries: BTreeMap<DeliveryId, Expected>,
    /// Of the last block that raised something: how many alerts so far.
    raised: (u64, usize),
}

/// What the blocks say of a delivery.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    subject: SubjectId,
    owner: Option<SubjectId>,
    channel: Channel,
    state: DeliveryState,
    /// If it is pending.
    due_at: Option<Timestamp>,
    attempts: u32,
}

impl Outbox {
    pub fn add(&mut self, id: EventId, entry: &Entry) {
        match &entry.change {
            Change::Preferred { owner, preferences } => {
                self.preferences.insert(owner.clone(), preferences.clone());
            }
            Change::Delivered(progress) => {
                for (id, progress) in progress.iter() {
                    if let Some(delivery) = self.deliveries.get_mut(id) {
                        delivery.advance(progress, entry.at);
                    }
                }
            }
            change => {
                for raised in change.raised() {
                    if self.raised.0 != id.block {
                        self.raised = (id.block, 0);
                    }
                    let alert = AlertId::new(id.block, self.raised.1);
                    self.raised.1 += 1;
                    let about = &raised.alert;
                    let Some((owner, preferences)) = self.in_force(&about.subject) else {
                        continue;
                    };
                    for (ordinal, channel) in (0..).zip(preferences.channels(&about.severity)) {
                        let delivery = Expected {
                            subject: about.subject.clone(),
                            owner: owner.clone(),
                            channel,
                            state: DeliveryState::Pending,
                            due_at: Some(preferences.due_at(&about.severity, raised.raised_at)),
                            attempts: 0,
                        };
                        self.deliveries.insert(DeliveryId { alert, ordinal }, delivery);
                    }
                }
            }
        }
    }

    pub fn compare(self, store: &SledStore, differences: &mut Differences) {
        for (owner, expected) in &self.preferences {
            let row = "the notification preferences";
            let found = store.preferences(owner.as_ref());
            let found = differences.readable_of(owner.as_ref(), row, found);
            if found.is_some_and(|found| found != *expected) {
                differences.push(owner.as_ref(), row, "those last set", "none, or others");
            }
        }
        for (id, expected) in &self.deliveries {
            let (subject, row) = (Some(&expected.subject), format!("the notification {id}"));
            let found = differences.readable_of(subject, &row, expected_of(store, *id));
            if let Some(found) = found.filter(|found| found.as_ref() != Some(expected)) {
                let found = found.map_or("none".to_owned(), |found| found.said());
                differences.push(subject, &row, expected.said(), found);
            }
        }
        let count = differences.readable("the outbox", count(store, &self.deliveries));
        let pending = |delivery: &&Expected| delivery.state == DeliveryState::Pending;
        let all = self.deliveries.len() as u64;
        let keys = all + self.deliveries.values().filter(pending).count() as u64;
        if let Some([found, found_keys, led]) = count {
            for (row, expected, found) in [
                ("the notifications", all, found),
                ("the ways to notifications", keys, found_keys),
                ("the notifications that ways lead to", all, led),
            ] {
                if found != expected {
                    differences.push(None, row, expected, found);
                }
            }
        }
    }

    /// The preferences that decide where a level's alerts go, and whose they are.
    fn in_force(&self, subject: &SubjectId) -> Option<(Option<SubjectId>, Arc<Preferences>)> {
        let mut owners: Vec<_> = subject.levels().map(Some).collect();
        owners.insert(0, None);
        let own = |owner: &Option<SubjectId>| self.preferences.get(owner).cloned().flatten();
        owners.into_iter().rev().find_map(|owner| own(&owner).map(|found| (owner, found)))
    }
}

impl Expected {
    fn advance(&mut self, progress: &Progress, at: Timestamp) {
        if self.state == DeliveryState::Sent {
            return;
        }
        let (state, due_at, attempts) = match progress {
            Progress::Sent => (DeliveryState::Sent, None, self.attempts + 1),
            Progress::Failed { again_at: None, .. } => {
                (DeliveryState::Dead, None, self.attempts + 1)
            }
            Progress::Failed { again_at, .. } => {
                (DeliveryState::Pending, *again_at, self.attempts + 1)
            }
            Progress::Postponed(until) => (self.state, self.due_at.map(|_| *until), self.attempts),
            Progress::Retried => (DeliveryState::Pending, Some(at), 0),
        };
        (self.state, self.due_at, self.attempts) = (state, due_at, attempts);
    }

    fn said(&self) -> String {
        let Self { channel, state, due_at, attempts, .. } = self;
        let due = due_at.map_or(String::new(), |at| format!(", due {at}"));
        let (kind, state) = (channel.kind().as_str(), state.as_str());
        format!("one by {kind}, {state} after {attempts} attempts{due}")
    }
}

fn expected_of(store: &SledStore, id: DeliveryId) -> Result<Option<Expected>, StoreError> {
    let found = store.delivery(id)?;
    Ok(found.map(|found| Expected {
        subject: found.subject.clone(),
        owner: found.owner.clone(),
        channel: found.channel.clone(),
        state: found.state,
        due_at: (found.state == DeliveryState::Pending).then_some(found.due_at),
        attempts: found.attempts,
    }))
}

/// How many deliveries are stored, how many keys lead to some, and to how many of those that
/// should be there all of their keys lead.
fn count(
    store: &SledStore,
    expected: &BTreeMap<DeliveryId, Expected>,
) -> Result<[u64; 3], StoreError> {
    let [mut stored, mut keys] = store.rows.count_of_outbox()?;
    let mut led = 0;
    for id in expected.keys() {
        let row = store.rows.delivery(*id)?.map(|(_, delivery)| delivery);
        let in_memory =
            store.memory.read().overlays().find_map(|o| o.outbox.deliveries.get(id).cloned());
        let ways = |delivery: &Delivery| keys_of_delivery(*id, delivery).collect::<Vec<Key>>();
        if let Some(row) = &row {
            let mut all = true;
            for key in ways(row) {
                all &= store.rows.has(&key)?;
            }
            led += u64::from(all);
        }
        // What waits in memory gets its keys with its row.
        if let Some(in_memory) = in_memory {
            stored += u64::from(row.is_none());
            led += u64::from(row.is_none());
            keys += ways(&in_memory).len() as u64;
            keys -= row.as_deref().map_or(0, |row| ways(row).len() as u64);
        }
    }
    Ok([stored, keys, led])
}
