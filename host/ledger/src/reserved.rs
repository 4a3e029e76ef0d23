//! What the open reservations of one level hold.

use std::collections::BTreeMap;

use tollgate_domain::{Amount, Quota, Span, Timestamp};

use crate::reservation::Reservation;
use crate::totals::{Overflow, Table, Totals};

/// Holds added up by the minute of their creation: a hold counts in the windows that contain
/// that minute, and no window begins within one.
#[derive(Debug, Default)]
pub struct Reserved(BTreeMap<i64, Table>);

impl Reserved {
    pub fn add(&mut self, hold: &Reservation) -> Result<(), Overflow> {
        let call = &hold.call;
        let table = self.0.entry(minute(hold.created_at)).or_default();
        table.add(&call.provider, call.model.as_ref(), &held(hold))
    }

    /// Takes back what was added before.
    pub fn subtract(&mut self, hold: &Reservation) {
        let call = &hold.call;
        if let Some(table) = self.0.get_mut(&minute(hold.created_at)) {
            table.subtract(&call.provider, call.model.as_ref(), &held(hold));
            if table.is_empty() {
                self.0.remove(&minute(hold.created_at));
            }
        }
    }

    /// What a quota counts of the holds created in its window.
    pub fn read(&self, quota: &Quota, span: &Span) -> Amount {
        self.0
            .range(minute(span.start)..)
            .fold(Amount::ZERO, |sum, (_, table)| sum.saturating_add(table.read(quota)))
    }
}

fn held(hold: &Reservation) -> Totals {
    Totals::of_usage(&hold.call.usage, hold.cost)
}

fn minute(at: Timestamp) -> i64 {
    at.micros().div_euclid(60_000_000)
}
