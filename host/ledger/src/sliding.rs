//! What was used in the seconds that end now.
//!
//! A sliding window is kept in buckets, each a 128th of it wide: a use counts in `[t, t + N)`,
//! and at most for one bucket longer, since a bucket counts until the latest use in it has left.
//! Never for less, so that nobody is granted what is not there.
//!
//! A use that is dated ahead of its recording counts from then on, until its own time + N. Its
//! buckets are wider the further ahead it is, up to half of that, so that they stay few.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tollgate_domain::{
    Amount, Meter, ModelId, ProviderId, Quota, SlidingSeconds, Timestamp, Usage, Usd,
};

use crate::event::Report;
use crate::store::Version;
use crate::totals::Overflow;

/// How many buckets a window has.
const BUCKETS: i64 = 128;

const SECOND_MICROS: i64 = 1_000_000;
const QUARTER_MICROS: i64 = 15 * 60 * SECOND_MICROS;

/// What was used of the quotas that count the same over the same sliding window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlidingTally {
    seconds: SlidingSeconds,
    meter: Meter,
    providers: Vec<ProviderId>,
    models: Vec<ModelId>,
    /// It is kept from events since the account had this version; what was used before is added
    /// up from the account's minutes and the store's quarter-hours.
    since: Version,
    /// When adding it up anew would find nothing either.
    forget_at: Timestamp,
    /// Of all buckets.
    sum: Amount,
    /// In the order of their latest uses.
    buckets: Vec<Bucket>,
}

/// What was used at about the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Its latest use: with that, all of it leaves the window.
    pub latest: Timestamp,
    pub amount: Amount,
    pub grain: Grain,
}

/// How wide a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Grain {
    /// Twice that often a 128th of the window.
    Doubled(u8),
    /// A minute, or some quarter-hours: what was used before the tally was kept.
    AddedUp,
}

impl SlidingTally {
    /// A tally that begins with `used`: amounts, each with the latest instant at which it may
    /// have been used.
    pub fn new(
        quota: &Quota,
        seconds: SlidingSeconds,
        since: Version,
        used: impl IntoIterator<Item = (Timestamp, Amount)>,
        now: Timestamp,
    ) -> Result<Self, Overflow> {
        let mut tally = Self {
            seconds,
            meter: quota.meter.clone(),
            providers: quota.providers.clone(),
            models: quota.models.clone(),
            since,
            forget_at: now,
            sum: Amount::ZERO,
            buckets: vec![],
        };
        tally.remember(now);
        for (latest, amount) in used {
            let counts = amount > Amount::ZERO && tally.leaves_at(latest) > now;
            if counts {
                tally.insert(Bucket { latest, amount, grain: Grain::AddedUp })?;
            }
        }
        Ok(tally)
    }

    /// Whether this is what a quota counts over a window of so many seconds.
    pub fn is_of(&self, quota: &Quota, seconds: SlidingSeconds) -> bool {
        self.seconds == seconds
            && self.meter == quota.meter
            && self.providers == quota.providers
            && self.models == quota.models
    }

    pub fn seconds(&self) -> SlidingSeconds {
        self.seconds
    }

    pub fn since(&self) -> Version {
        self.since
    }

    /// What it counts, for people.
    pub fn name(&self) -> String {
        let ids = self.providers.iter().map(|id| id.as_str());
        let ids: Vec<_> = ids.chain(self.models.iter().map(|id| id.as_str())).collect();
        let of = if ids.is_empty() { String::new() } else { format!(" of {}", ids.join(", ")) };
        format!("the {}{of} in sliding:{}", self.meter, self.seconds.get())
    }

    /// What a report adds to it.
    pub fn measure(&self, report: &Report) -> Amount {
        self.measure_use(&report.provider, report.model.as_ref(), &report.usage, report.cost)
    }

    /// The same of any use.
    pub fn measure_use(
        &self,
        provider: &ProviderId,
        model: Option<&ModelId>,
        usage: &Usage,
        cost: Option<Usd>,
    ) -> Amount {
        let sold = self.providers.is_empty() || self.providers.contains(provider);
        let covers = self.models.is_empty() || model.is_some_and(|own| self.models.contains(own));
        match sold && covers {
            true => self.meter.measure(usage, cost).unwrap_or_default(),
            false => Amount::ZERO,
        }
    }

    /// Adds a use that is recorded now.
    pub fn add(&mut self, report: &Report, now: Timestamp) -> Result<(), Overflow> {
        let (at, amount) = (report.occurred_at, self.measure(report));
        self.forget_what_left(now);
        if amount <= Amount::ZERO {
            return Ok(());
        }
        // Also one that has left: added up anew, it might count for a while.
        self.remember(at);
        if !self.counts(at, now) {
            return Ok(());
        }
        let grain = self.grain(at, now);
        let Some(width) = self.width(grain) else { return Ok(()) };
        let cell = at.micros().div_euclid(width);
        let (first, end) = (cell.saturating_mul(width), (cell + 1).saturating_mul(width));
        let mut recent = self.buckets.iter().enumerate().rev();
        let same = recent
            .find(|(_, bucket)| bucket.latest.micros() < end && bucket.grain == grain)
            .filter(|(_, bucket)| bucket.latest.micros() >= first);
        let mut bucket = Bucket { latest: at, amount, grain };
        if let Some((position, _)) = same {
            let earlier = self.buckets.remove(position);
            self.sum = self.sum.minus_or_zero(earlier.amount);
            bucket.amount = amount.checked_add(earlier.amount).ok_or(Overflow)?;
            bucket.latest = at.max(earlier.latest);
        }
        self.insert(bucket)
    }

    /// Whether a use at `at` is in the window at `now`, or ahead of it.
    pub fn counts(&self, at: Timestamp, now: Timestamp) -> bool {
        self.leaves_at(at) > now
    }

    /// Whether a use at `at` may still count at `now`: one that was added up counts as if at the end
    /// of its minute, or of its quarter-hours.
    pub fn may_count(&self, at: Timestamp, now: Timestamp) -> bool {
        let part = Duration::from_micros(part_micros(self.seconds).unsigned_abs());
        self.counts(at.plus(part), now)
    }

    /// What counts at `now`.
    pub fn used(&self, now: Timestamp) -> Amount {
        let left = self.buckets.iter().take_while(|bucket| !self.counts(bucket.latest, now));
        left.fold(self.sum, |sum, bucket| sum.minus_or_zero(bucket.amount))
    }

    /// What leaves the window from `now` on, and when.
    pub fn leaving(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, Amount)> {
        let counted = self.buckets.iter().skip_while(move |b| !self.counts(b.latest, now));
        counted.map(|bucket| (self.leaves_at(bucket.latest), bucket.amount))
    }

    pub fn sum(&self) -> Amount {
        self.sum
    }

    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// Whether nobody would miss it.
    pub fn is_forgettable(&self, now: Timestamp) -> bool {
        self.forget_at <= now
    }

    fn insert(&mut self, bucket: Bucket) -> Result<(), Overflow> {
        self.sum = self.sum.checked_add(bucket.amount).ok_or(Overflow)?;
        let position = self.buckets.partition_point(|other| other.latest <= bucket.latest);
        self.buckets.insert(position, bucket);
        Ok(())
    }

    /// Drops the buckets that nothing can be added to any more: of one that counts no longer, the
    /// end may still be in the window.
    fn forget_what_left(&mut self, now: Timestamp) {
        if self.buckets.first().is_none_or(|bucket| self.counts(bucket.latest, now)) {
            return;
        }
        let mut buckets = std::mem::take(&mut self.buckets);
        buckets.retain(|bucket| {
            let end = match self.width(bucket.grain) {
                Some(width) => {
                    let cell = bucket.latest.micros().div_euclid(width);
                    Timestamp::from_micros((cell + 1).saturating_mul(width))
                }
                None => bucket.latest,
            };
            let stays = self.leaves_at(end) > now;
            if !stays {
                self.sum = self.sum.minus_or_zero(bucket.amount);
            }
            stays
        });
        self.buckets = buckets;
    }

    /// Keeps it for as long as a use at `at` would be found if it were added up anew.
    fn remember(&mut self, at: Timestamp) {
        let found_until = self.leaves_at(at).micros().saturating_add(part_micros(self.seconds));
        self.forget_at = self.forget_at.max(Timestamp::from_micros(found_until));
    }

    fn leaves_at(&self, at: Timestamp) -> Timestamp {
        at.plus(self.seconds.duration())
    }

    /// The narrowest grain for which a use is at most four widths ahead.
    fn grain(&self, at: Timestamp, now: Timestamp) -> Grain {
        let ahead = at.micros().saturating_sub(now.micros());
        let (mut reach, mut doubled) = (bucket_micros(self.seconds).saturating_mul(4), 0);
        while reach < ahead {
            reach = reach.saturating_mul(2);
            doubled += 1;
        }
        Grain::Doubled(doubled)
    }

    fn width(&self, grain: Grain) -> Option<i64> {
        match grain {
            Grain::Doubled(times) => {
                Some(bucket_micros(self.seconds).saturating_mul(1_i64.checked_shl(times.into())?))
            }
            Grain::AddedUp => None,
        }
    }
}

fn bucket_micros(seconds: SlidingSeconds) -> i64 {
    (i64::from(seconds.get()) * SECOND_MICROS + BUCKETS - 1) / BUCKETS
}

/// How much time is added up into one bucket where a tally is not kept yet: whole quarter-hours.
pub fn part_micros(seconds: SlidingSeconds) -> i64 {
    let bucket = bucket_micros(seconds);
    (bucket + QUARTER_MICROS - 1) / QUARTER_MICROS * QUARTER_MICROS
}
