//! How many events nobody priced, by provider: what an operator watches to find a price missing.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tollgate_domain::ProviderId;
use tollgate_ledger::Recorded;

/// Callers may name providers without end; so many of them, the first, are counted by name.
const NAMED_MAX: usize = 100;

/// Of this process. Who has a price comes past no lock.
#[derive(Default)]
pub struct Unpriced(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    named: BTreeMap<ProviderId, u64>,
    others: u64,
}

impl Unpriced {
    /// Counts an event that was recorded just now, if nobody priced it.
    pub fn note(&self, recorded: &Recorded) {
        let report = &recorded.event.report;
        if report.cost.is_none() && !recorded.duplicate {
            self.lock().add(&report.provider);
        }
    }

    /// The counts by provider; those without a name of their own are `None`.
    pub fn counts(&self) -> Vec<(Option<ProviderId>, u64)> {
        let counts = self.lock();
        let named = counts.named.iter().map(|(id, count)| (Some(id.clone()), *count));
        named.chain([(None, counts.others)]).filter(|(_, count)| *count > 0).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Counts are whole at any moment, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn add(&mut self, provider: &ProviderId) {
        if let Some(count) = self.named.get_mut(provider) {
            *count += 1;
        } else if self.named.len() < NAMED_MAX {
            self.named.insert(provider.clone(), 1);
        } else {
            self.others += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_without_end_are_counted_under_finitely_many_names() {
        let unpriced = Unpriced::default();
        for _ in 0..2 {
            for i in 0..NAMED_MAX + 50 {
                unpriced.lock().add(&format!("provider-{i}").parse().unwrap());
            }
        }
        let counts = unpriced.counts();
        assert_eq!(counts.len(), NAMED_MAX + 1);
        assert!(counts[..NAMED_MAX].iter().all(|(id, count)| id.is_some() && *count == 2));
        assert_eq!(counts[NAMED_MAX], (None, 100));
    }
}
