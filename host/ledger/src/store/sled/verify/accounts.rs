//! Accounts: subscriptions, how often they were touched, every window that is added up, and the
//! alerts of windows that have not passed.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use tollgate_domain::{SubjectId, Subscription, Timestamp, Window};

use super::difference::Differences;
use super::sliding::Sliding;
use crate::account::Account;
use crate::event::Raised;
use crate::store::sled::SledStore;
use crate::store::sled::block::Entry;
use crate::store::{Change, Fact, Store, Version};
use crate::totals::{Overflow, Table, Totals};

pub struct Accounts {
    levels: HashMap<SubjectId, Level>,
    /// When the last of all blocks was decided.
    until: Timestamp,
}

/// What the blocks say of a level, beside what is stored of it.
struct Level {
    /// `None` where it cannot be read, which is named already.
    stored: Option<(Version, Arc<Account>)>,
    version: Version,
    touched_at: Timestamp,
    subscription: Option<Subscription>,
    /// In the order of the stored account's windows.
    sums: Vec<Table>,
    /// In the order of its sliding tallies.
    sliding: Vec<Sliding>,
    latest_use: Timestamp,
    raised: Vec<Raised>,
}

impl Accounts {
    pub fn new(until: Timestamp) -> Self {
        Self { levels: HashMap::new(), until }
    }

    pub fn add(&mut self, store: &SledStore, entry: &Entry, differences: &mut Differences) {
        for subject in entry.change.levels() {
            let level = match self.levels.entry(subject.clone()) {
                Slot::Occupied(known) => known.into_mut(),
                Slot::Vacant(new) => {
                    let stored = store.account(&subject);
                    let stored = differences.readable_of(Some(&subject), "the account", stored);
                    new.insert(Level::new(stored.map(Option::unwrap_or_default), self.until))
                }
            };
            level.version += 1;
            level.touched_at = level.touched_at.max(entry.at);
            match &entry.change {
                Change::Subscribed { subscription, .. } => {
                    level.subscription = Some(subscription.clone());
                }
                change => change.fact().into_iter().for_each(|fact| level.add(&fact)),
            }
            level.raised.retain(|raised| is_open(raised, level.touched_at));
            let raised = entry.change.raised().iter();
            level.raised.extend(raised.filter(|r| r.alert.subject == subject).cloned());
        }
    }

    /// Also tells how many accounts there are.
    pub fn compare(self, store: &SledStore, differences: &mut Differences) -> u64 {
        for subject in store.rows.accounts() {
            if let Some(subject) = differences.readable("an account", subject)
                && !self.levels.contains_key(&subject)
            {
                differences.push(Some(&subject), "the account", "none", "one");
            }
        }
        let mut levels: Vec<_> = self.levels.into_iter().collect();
        levels.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (subject, level) in &levels {
            level.compare(subject, differences);
        }
        levels.len() as u64
    }
}

impl Level {
    fn new(stored: Option<(Version, Arc<Account>)>, until: Timestamp) -> Self {
        let windows = stored.iter().flat_map(|(_, account)| account.windows());
        let sliding = stored.iter().flat_map(|(_, account)| account.all_sliding());
        Self {
            version: 0,
            touched_at: Timestamp::EPOCH,
            subscription: None,
            sums: windows.map(|_| Table::default()).collect(),
            sliding: sliding.map(|tally| Sliding::new(tally, until)).collect(),
            latest_use: Timestamp::EPOCH,
            raised: vec![],
            stored,
        }
    }

    fn add(&mut self, fact: &Fact) {
        let windows = self.stored.iter().flat_map(|(_, account)| account.windows());
        for ((_, span, _), sum) in windows.zip(&mut self.sums) {
            if span.contains(fact.occurred_at()) {
                // A use that could not be counted was refused; if this one cannot be, the sum
                // differs from what is stored.
                let _ = add(sum, fact);
            }
        }
        let sliding = self.stored.iter().flat_map(|(_, account)| account.all_sliding());
        for (tally, sum) in sliding.zip(&mut self.sliding) {
            sum.add(tally, self.version, fact);
        }
        self.latest_use = self.latest_use.max(fact.occurred_at());
    }

    fn compare(&self, subject: &SubjectId, differences: &mut Differences) {
        let Some((version, account)) = &self.stored else { return };
        if *version != self.version {
            differences.push(Some(subject), "the account's version", self.version, version);
        }
        if account.subscription != self.subscription {
            let [expected, found] =
                [&self.subscription, &account.subscription].map(|own| format!("{own:?}"));
            differences.push(Some(subject), "the subscription", expected, found);
        }
        if account.tally(Window::Lifetime, self.touched_at).is_none() {
            differences.push(Some(subject), "the lifetime", "it to be added up", "nothing");
        }
        for ((window, span, found), expected) in account.windows().zip(&self.sums) {
            let row = match window {
                Window::Lifetime => "the lifetime".to_owned(),
                window => format!("the {window} from {}", span.start),
            };
            differences.compare_tables(subject, &row, expected, found);
        }
        for (tally, expected) in account.all_sliding().iter().zip(&self.sliding) {
            expected.compare(tally, subject, differences);
        }
        if account.latest_use() != self.latest_use {
            let (expected, found) = (self.latest_use, account.latest_use());
            differences.push(Some(subject), "the latest use", expected, found);
        }
        let open = |raised: &[Raised]| -> Vec<String> {
            let open = raised.iter().filter(|raised| is_open(raised, self.touched_at));
            open.map(|raised| format!("{raised:?}")).collect()
        };
        let (expected, found) = (open(&self.raised), open(account.raised()));
        if expected != found {
            let [expected, found] = [expected, found].map(|alerts| alerts.join(", "));
            differences.push(Some(subject), "the alerts", expected, found);
        }
    }
}

/// Adds what a fact counts to a sum.
pub fn add(sum: &mut Table, fact: &Fact) -> Result<(), Overflow> {
    let (provider, model) = (fact.provider(), fact.model());
    match fact {
        Fact::Event(event) => sum.add(provider, model, &Totals::of_event(event)),
        Fact::Correction(correction) => {
            let [before, after] = correction.totals();
            sum.add(provider, model, &after)?;
            sum.take(provider, model, &before)
        }
    }
}

/// Whether an alert's window had not passed: others may be forgotten.
fn is_open(raised: &Raised, at: Timestamp) -> bool {
    raised.window_end.is_none_or(|end| end > at)
}
