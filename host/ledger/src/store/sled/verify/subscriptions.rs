//! How subscriptions were changed: that each change is told, and no other.

use std::collections::HashMap;

use tollgate_domain::{SubjectId, Subscription, Timestamp};

use super::difference::Differences;
use crate::store::sled::SledStore;
use crate::store::sled::block::Entry;
use crate::store::{Change, Store};

/// What the blocks say of each level.
#[derive(Default)]
pub struct Subscriptions(HashMap<SubjectId, Vec<(Timestamp, Subscription)>>);

impl Subscriptions {
    pub fn add(&mut self, entry: &Entry) {
        if let Change::Subscribed { subject, subscription, .. } = &entry.change {
            self.0.entry(subject.clone()).or_default().push((entry.at, subscription.clone()));
        }
    }

    pub fn compare(self, store: &SledStore, differences: &mut Differences) {
        for (subject, expected) in self.0 {
            let row = "the changes of the subscription";
            let found = store.subscriptions(&subject);
            let found = differences.readable_of(Some(&subject), row, found);
            if let Some(found) = found.filter(|found| *found != expected) {
                let [expected, found] = [expected, found].map(|changes| match changes.len() {
                    1 => "1 change".to_owned(),
                    count => format!("{count} changes"),
                });
                differences.push(Some(&subject), row, expected, format!("{found}, or others"));
            }
        }
    }
}
