//! Units' places as values of runs.

use crate::event::EventId;

/// Where a unit lies, and whether it is the last about what it is found by. Values sort as places
/// do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub unit: EventId,
    pub is_last: bool,
}

/// Blocks are too small to have more places.
const INDEX_BITS: u32 = 15;

impl Place {
    pub fn value(self) -> u64 {
        let Self { unit, is_last } = self;
        (unit.block << INDEX_BITS | u64::from(unit.index)) << 1 | u64::from(is_last)
    }

    pub fn of_value(value: u64) -> Self {
        let (place, is_last) = (value >> 1, value & 1 == 1);
        let index = (place & ((1 << INDEX_BITS) - 1)) as u32;
        Self { unit: EventId { block: place >> INDEX_BITS, index }, is_last }
    }
}
