//! Alerts: raised by what was used and by changes of plans, and read by people.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tollgate_domain::{PeriodId, Timestamp};

use crate::event::{EventId, Raised};
use crate::store::{Store, StoreError};

/// So many alerts one change raises at most; what is due besides is raised by the next. It keeps
/// those of a block fewer than its numbers for them.
pub const RAISED_MAX: usize = 1024;

/// The bits of an alert's number that count the alerts of a block. A block is full long before so
/// many, even with the largest fact.
const ORDINAL_BITS: u32 = 12;

/// An alert's number: which block raised it, and the how manieth of the block's it is. It stays
/// the same for ever, also in a ledger that was restored, and is below 2⁵³, up to which JavaScript
/// counts exactly. Later alerts have larger ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertId(u64);

/// An alert as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alerted {
    pub id: AlertId,
    pub raised: Raised,
    /// The billing period of the fact that raised it, or that in which a change of plan did.
    pub period: PeriodId,
    /// When somebody first said that it was read.
    pub read_at: Option<Timestamp>,
    /// When it first arrived at one of the places that it goes to.
    pub sent_at: Option<Timestamp>,
}

/// Alerts of one level, the newest first.
#[derive(Clone, Debug, Default)]
pub struct Alerts {
    pub alerts: Vec<Alerted>,
    /// All that were asked for, whether or not they are listed here.
    pub total: u64,
    /// All of the level that nobody has read.
    pub unread: u64,
}

/// The alerts that a fact raised, in their order: as they were raised, whoever has read them since.
pub(crate) fn raised_by<S: Store>(
    store: &S,
    id: EventId,
    raised: &[Raised],
    period: &PeriodId,
) -> Result<Vec<Alerted>, StoreError> {
    if raised.is_empty() {
        return Ok(vec![]);
    }
    let changes = store.changes_of(id.block)?;
    let before = changes.iter().take_while(|(other, _)| *other < id);
    let first: usize = before.map(|(_, other)| other.raised().len()).sum();
    let alerts = (first..).zip(raised).map(|(ordinal, raised)| Alerted {
        id: AlertId::new(id.block, ordinal),
        raised: raised.clone(),
        period: period.clone(),
        read_at: None,
        sent_at: None,
    });
    Ok(alerts.collect())
}

impl AlertId {
    pub const BYTES: usize = size_of::<u64>();

    pub(crate) fn new(block: u64, ordinal: usize) -> Self {
        Self(block << ORDINAL_BITS | ordinal as u64)
    }

    pub(crate) fn block(self) -> u64 {
        self.0 >> ORDINAL_BITS
    }

    /// The how manieth of its block's alerts it is.
    pub(crate) fn ordinal(self) -> usize {
        (self.0 & ((1 << ORDINAL_BITS) - 1)) as usize
    }

    pub fn number(self) -> u64 {
        self.0
    }

    pub(crate) const fn of_number(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for AlertId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_plain).map(Self).ok_or(())
    }
}
