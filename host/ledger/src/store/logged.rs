//! A level's log: where its events lie, in the order in which a person reads them.

use tollgate_domain::{ProviderId, Timestamp};

use crate::event::{Event, EventId};

/// The bits of a [`Rank`] that tell apart what occurred in the same microsecond: those of the
/// block, and those of the place in it.
const BLOCK_BITS: u32 = 19;
const INDEX_BITS: u32 = 9;
const TIE_BITS: u32 = BLOCK_BITS + INDEX_BITS;

/// The bits of a rank that are the time, in microseconds since 1970: enough until 2112. What
/// occurred before or after stands at that end.
const TIME_BITS: u32 = 52;
const MICROS_MAX: i64 = (1 << TIME_BITS) - 1;

/// Where an event stands in its levels' logs: by when it occurred and, within a microsecond, by
/// when it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank([u8; Rank::BYTES]);

/// What a log says of an event without a look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logged {
    pub rank: Rank,
    pub id: EventId,
    pub failed: bool,
    pub provider: ProviderTag,
}

/// A few bits of a provider's checksum: providers of different tags are different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProviderTag(u16);

impl Rank {
    pub const BYTES: usize = (TIME_BITS + TIE_BITS) as usize / 8;

    /// No event stands before it.
    pub const FIRST: Self = Self([0; Self::BYTES]);

    fn of(id: EventId, event: &Event) -> Self {
        let block = u128::from(id.block & ((1 << BLOCK_BITS) - 1));
        let tie = block << INDEX_BITS | u128::from(id.index & ((1 << INDEX_BITS) - 1));
        Self::new(event.report.occurred_at, tie)
    }

    /// No event of this instant stands before it.
    pub fn first_at(at: Timestamp) -> Self {
        Self::new(at, 0)
    }

    /// When what stands here occurred; `None` at either end, where what occurred beyond it stands.
    pub fn time(&self) -> Option<Timestamp> {
        let mut bytes = [0; size_of::<u128>()];
        bytes[size_of::<u128>() - Self::BYTES..].copy_from_slice(&self.0);
        let micros = i64::try_from(u128::from_be_bytes(bytes) >> TIE_BITS).ok()?;
        (micros > 0 && micros < MICROS_MAX).then_some(Timestamp::from_micros(micros))
    }

    fn new(at: Timestamp, tie: u128) -> Self {
        let micros = at.micros().clamp(0, MICROS_MAX);
        let rank = u128::from(micros.unsigned_abs()) << TIE_BITS | tie;
        let mut bytes = [0; Self::BYTES];
        bytes.copy_from_slice(&rank.to_be_bytes()[size_of::<u128>() - Self::BYTES..]);
        Self(bytes)
    }

    /// In the order of ranks.
    pub fn bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    pub fn of_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }
}

impl Logged {
    pub fn of(id: EventId, event: &Event) -> Self {
        let failed = event.report.failed();
        let provider = ProviderTag::of(&event.report.provider);
        Self { rank: Rank::of(id, event), id, failed, provider }
    }
}

impl ProviderTag {
    pub const BITS: u32 = 14;

    pub fn of(provider: &ProviderId) -> Self {
        let checksum = crc32fast::hash(provider.as_str().as_bytes());
        Self::of_bits(u64::from(checksum))
    }

    pub fn bits(self) -> u64 {
        self.0.into()
    }

    /// From the lowest bits.
    pub fn of_bits(bits: u64) -> Self {
        Self((bits & ((1 << Self::BITS) - 1)) as u16)
    }
}
