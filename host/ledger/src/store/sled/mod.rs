//! sled beneath, with a journal of blocks.
//!
//! A commit writes the changes of all its units as blocks of up to 8 KiB, in one atomic batch,
//! and syncs: this is all that an acknowledgement waits for, and the only copy of the events.
//! What the blocks add up to (accounts, quarter-hour buckets, reservations, event names, marks)
//! is kept in an [`Overlay`] in memory, and written behind the commits by [`Store::maintain`]. A
//! start replays the blocks since the last time that was done.
//!
//! sled reads its log anew at each start, and takes what it cannot read for torn. So the folder is
//! looked at before ([`folder`], [`log`]), and a [`seal`] says what must be there.
//!
//! sled's `flush` does not reach stable storage (it uses `sync_file_range`): `sync_data` on its
//! file, after the flush, does.

mod accounts;
mod block;
mod closing;
mod folder;
mod level;
mod log;
mod outbox;
mod overlay;
mod quiet;
mod refusals;
mod restore;
mod rows;
mod seal;
mod start;
mod used;
mod verify;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::{Future, ready};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tollgate_domain::{
    ChannelKind, EventKey, PeriodId, Preferences, RootId, Span, SubjectId, SubjectPath,
    Subscription, Timestamp,
};

use self::closing::Closing;
use self::overlay::{EventName, Overlay, Quarter};
pub use self::quiet::damage;
pub use self::restore::{RestoreError, Restored, Stage, restore};
use self::rows::Rows;
pub use self::verify::{Difference, Verification};
use super::{
    Change, Conflict, Forget, Logged, Marked, Rank, RefusalFilter, Store, StoreError, Unit, Version,
};
use crate::account::Account;
use crate::alert::AlertId;
use crate::billing::BillingEntry;
use crate::delivery::{Delivery, DeliveryFilter, DeliveryId, Listed};
use crate::event::{EventId, Fingerprint};
use crate::refusal::{Refusal, RefusalCounts, RefusalId};
use crate::reservation::{Outcome, Reservation, ReservationId};
use crate::totals::Table;

/// Where more accounts than this wait for their rows while others are being written, commits go
/// slower, so that the rows keep up: some two kilobytes each.
const WAITING_MAX: usize = 64 * 1024;
const SLOWER_BY: Duration = Duration::from_millis(10);

/// A ledger's data in a folder of its own. One process at a time.
pub struct SledStore {
    rows: Rows,
    /// Held for a whole commit.
    writer: Mutex<Writer>,
    /// Locked only to look or to add, never while anything is written.
    memory: RwLock<Memory>,
    /// Held for a whole round of maintenance.
    maintenance: Mutex<()>,
    /// After the rows, which it closes for good.
    closing: Closing,
}

struct Writer {
    next: block::Next,
}

/// What is committed and not yet written as rows.
struct Memory {
    current: Overlay,
    /// Being written right now.
    condensing: Option<Arc<Overlay>>,
    last_instant: Timestamp,
}

impl Memory {
    /// The newest first.
    fn overlays(&self) -> impl Iterator<Item = &Overlay> {
        std::iter::once(&self.current).chain(self.condensing.as_deref())
    }
}

impl SledStore {
    /// Numbers the units that conflict with nobody, and writes them.
    fn write(&self, units: &[Unit]) -> Result<Vec<Result<EventId, Conflict>>, StoreError> {
        let mut writer = self.writer.lock();
        let mut versions = HashMap::new();
        let mut blocks = block::Writer::new(writer.next);
        let mut outcomes = Vec::with_capacity(units.len());
        for unit in units {
            let outcome = match self.fits(unit, &mut versions)? {
                true => Ok(blocks.push(unit)?),
                false => Err(Conflict),
            };
            outcomes.push(outcome);
        }
        let (batch, next) = blocks.finish();
        self.rows.write_durably(batch).inspect_err(|_| self.closing.fail())?;
        writer.next = next;
        self.closing.reached(next.block - 1);

        let mut outbox = self.memory.read().current.outbox.next();
        for (unit, outcome) in units.iter().zip(&outcomes) {
            if let Ok(id) = outcome {
                self.add_to_outbox(&mut outbox, *id, unit.at, &unit.change)?;
            }
        }
        let mut memory = self.memory.write();
        memory.current.outbox.extend(outbox);
        for (unit, outcome) in units.iter().zip(&outcomes) {
            if let Ok(id) = outcome {
                memory.last_instant = memory.last_instant.max(unit.at);
                if let Change::Refused(refusal) = &unit.change {
                    memory.current.refuse(*id, refusal);
                    let levels = refusal.call.subject.levels();
                    levels.for_each(|subject| memory.current.count_refusal(subject, refusal));
                    continue;
                }
                memory.current.absorb(*id, &unit.accounts, &unit.change);
                memory.current.subscribe(*id, unit.at, &unit.change);
                memory.current.mark(unit.turn.mark(), unit.at, *id);
                if let Some(fact) = unit.change.fact() {
                    let levels = fact.subject().levels();
                    levels.for_each(|subject| memory.current.add_use(subject, &fact));
                }
            }
        }
        let too_many = memory.current.accounts.len() > WAITING_MAX && memory.condensing.is_some();
        drop(memory);
        if too_many {
            std::thread::sleep(SLOWER_BY);
        }
        Ok(outcomes)
    }

    /// Whether nobody changed the unit's accounts since they were read; `versions` are those
    /// that earlier units of the batch have changed.
    fn fits<'a>(
        &self,
        unit: &'a Unit,
        versions: &mut HashMap<&'a SubjectId, Version>,
    ) -> Result<bool, StoreError> {
        for change in &unit.accounts {
            let version = match versions.get(&change.subject) {
                Some(version) => *version,
                None => self.account(&change.subject)?.map_or(0, |(version, _)| version),
            };
            if version != change.read_at {
                return Ok(false);
            }
        }
        versions.extend(unit.accounts.iter().map(|change| (&change.subject, change.read_at + 1)));
        Ok(true)
    }

    /// What a caller gave this name.
    fn named(&self, name: &EventName) -> Result<Option<EventId>, StoreError> {
        if let Some(found) = self.memory.read().overlays().find_map(|o| o.event(name)) {
            return Ok(Some(found));
        }
        self.rows.named(name)
    }

    /// Writes what the blocks add up to as rows, so that they need not be replayed.
    fn condense(&self) -> Result<(), StoreError> {
        let overlay = {
            let mut memory = self.memory.write();
            if memory.condensing.is_some() {
                // What that round was to write lies nowhere else but in memory and the blocks.
                return Err(StoreError("an earlier round of maintenance failed".into()));
            }
            if memory.current.is_empty() {
                return Ok(());
            }
            let mut next = Overlay::after(memory.current.last());
            next.outbox = memory.current.outbox.next();
            let overlay = Arc::new(std::mem::replace(&mut memory.current, next));
            memory.condensing = Some(overlay.clone());
            overlay
        };
        let last_instant = self.memory.read().last_instant;
        self.rows.condense(&overlay, last_instant)?;
        self.memory.write().condensing = None;
        Ok(())
    }
}

impl Store for SledStore {
    fn commit(
        &self,
        units: &[Unit],
    ) -> impl Future<Output = Result<Vec<Result<EventId, Conflict>>, StoreError>> + Send {
        ready(self.write(units))
    }

    fn account(&self, subject: &SubjectId) -> Result<Option<(Version, Arc<Account>)>, StoreError> {
        if let Some(found) = self.memory.read().overlays().find_map(|o| o.account(subject)) {
            return Ok(Some(found));
        }
        // What leaves memory was written before: looking there second finds it.
        let row = self.rows.account(subject)?;
        Ok(row.map(|(_, version, account)| (version, account)))
    }

    fn any_account(
        &self,
        wanted: &dyn Fn(&SubjectId, &Account) -> bool,
    ) -> Result<bool, StoreError> {
        self.find_account(wanted)
    }

    fn used(&self, subject: &SubjectId, span: &Span) -> Result<Table, StoreError> {
        self.used_in(subject, span)
    }

    fn used_in_each(&self, subject: &SubjectId, spans: &[Span]) -> Result<Vec<Table>, StoreError> {
        self.add_up_days(subject, spans)
    }

    fn open_reservations(&self, root: &RootId) -> Result<Vec<Arc<Reservation>>, StoreError> {
        let memory = self.memory.read();
        let mut found = BTreeMap::new();
        for overlay in [memory.condensing.as_deref(), Some(&memory.current)].into_iter().flatten() {
            found.extend(overlay.reservations_of(root).map(|r| (r.id, r.clone())));
        }
        let now = memory.last_instant;
        let in_rows = self.rows.held_reservations(root, now, |id| found.contains_key(&id))?;
        let beneath =
            |r: &Arc<Reservation>| r.outcome == Outcome::Open && r.call.subject.root() == *root;
        Ok(found.into_values().chain(in_rows).filter(beneath).collect())
    }

    fn reservation(&self, id: ReservationId) -> Result<Option<Arc<Reservation>>, StoreError> {
        if let Some(found) = self.memory.read().overlays().find_map(|o| o.reservation(id)) {
            return Ok(Some(found));
        }
        // What leaves memory was written before: looking there second finds it.
        self.rows.reservation(id)
    }

    fn change(&self, id: EventId) -> Result<Option<Change>, StoreError> {
        Ok(self.rows.entry(id)?.map(|entry| entry.change))
    }

    fn blocks(&self) -> Range<u64> {
        1..self.writer.lock().next.block
    }

    fn block(&self, number: u64) -> Result<Vec<u8>, StoreError> {
        let block = self.rows.raw_block(number)?;
        block.ok_or_else(|| StoreError(format!("block {number} is missing")))
    }

    fn refusals_blocks(&self) -> Result<Range<u64>, StoreError> {
        let next = self.writer.lock().next.refusals;
        let first = self.rows.refusals_from(0).next().transpose()?;
        Ok(first.map_or(next, |(number, _)| number)..next)
    }

    fn refusals_block(&self, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.rows.raw_refusals(number)
    }

    fn changes_of(&self, block: u64) -> Result<Vec<(EventId, Change)>, StoreError> {
        let entries = self.rows.block(block)?;
        let entries = entries.ok_or_else(|| StoreError(format!("block {block} is missing")))?;
        let changes = (0..).zip(entries);
        Ok(changes.map(|(index, entry)| (EventId { block, index }, entry.change)).collect())
    }

    fn logged(
        &self,
        subject: &SubjectId,
        before: Option<Rank>,
        limit: usize,
    ) -> Result<Vec<Logged>, StoreError> {
        self.find_logged(subject, before, limit)
    }

    fn alerts(&self, subject: &SubjectId) -> Result<Vec<(AlertId, Option<Timestamp>)>, StoreError> {
        self.find_alerts(subject)
    }

    fn preferences(
        &self,
        owner: Option<&SubjectId>,
    ) -> Result<Option<Arc<Preferences>>, StoreError> {
        self.preferences_of(owner)
    }

    fn delivery(&self, id: DeliveryId) -> Result<Option<Arc<Delivery>>, StoreError> {
        self.find_delivery(id)
    }

    fn deliveries_of(&self, alert: AlertId) -> Result<Vec<Listed>, StoreError> {
        self.find_deliveries_of(alert)
    }

    fn deliveries(&self, which: &DeliveryFilter) -> Result<Vec<Listed>, StoreError> {
        self.find_deliveries(which)
    }

    fn deliveries_due(
        &self,
        kind: ChannelKind,
        now: Timestamp,
        limit: usize,
        is_wanted: &dyn Fn(DeliveryId, &Delivery) -> bool,
    ) -> Result<Vec<Listed>, StoreError> {
        self.find_deliveries_due(kind, now, limit, is_wanted)
    }

    fn event_by_key(
        &self,
        subject: &SubjectPath,
        key: &EventKey,
    ) -> Result<Option<EventId>, StoreError> {
        self.named(&overlay::event_name(subject, key))
    }

    fn corrections_of(&self, event: EventId) -> Result<Vec<EventId>, StoreError> {
        let mut found = BTreeSet::new();
        for overlay in self.memory.read().overlays() {
            found.extend(overlay.corrections.get(&event).into_iter().flatten());
        }
        // What leaves memory was written before: looking there second finds it.
        found.extend(self.rows.corrections(event)?);
        Ok(found.into_iter().collect())
    }

    fn correction_by_key(
        &self,
        subject: &SubjectPath,
        key: &EventKey,
    ) -> Result<Option<EventId>, StoreError> {
        self.named(&overlay::correction_name(subject, key))
    }

    fn billing_history(&self, subject: &SubjectId) -> Result<Vec<Arc<BillingEntry>>, StoreError> {
        let mut found = BTreeMap::new();
        for overlay in self.memory.read().overlays() {
            found.extend(overlay.history_of(subject).map(|entry| (entry.end, entry.clone())));
        }
        found.extend(self.rows.history(subject)?);
        Ok(found.into_values().collect())
    }

    fn subscriptions(
        &self,
        subject: &SubjectId,
    ) -> Result<Vec<(Timestamp, Subscription)>, StoreError> {
        let mut found = BTreeMap::new();
        for overlay in self.memory.read().overlays() {
            found.extend(overlay.subscriptions_of(subject));
        }
        found.extend(self.rows.subscriptions(subject)?);
        Ok(found.into_values().collect())
    }

    fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<(Timestamp, SubjectId)>, StoreError> {
        let mut due: BTreeSet<_> = self.rows.due(now, limit)?.into_iter().collect();
        for overlay in self.memory.read().overlays() {
            let overdue = overlay.due.iter().take_while(|(at, _)| *at <= now).take(limit);
            due.extend(overdue.cloned());
        }
        Ok(due.into_iter().take(limit).collect())
    }

    fn forget_due(&self, due: &[(Timestamp, SubjectId)]) -> Result<(), StoreError> {
        // No round of maintenance writes meanwhile what is forgotten here.
        let _unchanged = self.maintenance.lock();
        let mut memory = self.memory.write();
        for at in due {
            memory.current.due.remove(at);
        }
        drop(memory);
        self.rows.forget_due(due)
    }

    fn refusals(
        &self,
        which: &RefusalFilter,
    ) -> Result<Vec<(RefusalId, Arc<Refusal>)>, StoreError> {
        self.find_refusals(which)
    }

    fn refusal_counts(
        &self,
        subject: &SubjectId,
    ) -> Result<BTreeMap<PeriodId, RefusalCounts>, StoreError> {
        self.count_refusals(subject)
    }

    fn marked(&self, key: &Fingerprint, since: Timestamp) -> Result<Vec<Marked>, StoreError> {
        let mut found = BTreeMap::new();
        let days = {
            let memory = self.memory.read();
            for marked in memory.overlays().flat_map(|overlay| overlay.marked(key)) {
                found.insert(marked.unit, *marked);
            }
            [since, memory.last_instant].map(|at| Quarter::of(at).day())
        };
        // What leaves memory was written before: looking there second finds it.
        let rows = self.rows.marked(key, days[0]..=days[1])?;
        found.extend(rows.into_iter().map(|marked| (marked.unit, marked)));
        Ok(found.into_values().filter(|marked| marked.at >= since).collect())
    }

    fn shelve(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.rows.shelve(name, bytes).inspect_err(|_| self.closing.fail())
    }

    fn shelved(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.rows.shelved(name)
    }

    fn shelf(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.rows.shelf(prefix)
    }

    fn last_instant(&self) -> Timestamp {
        self.memory.read().last_instant
    }

    fn maintain(&self, forget: &Forget) -> Result<(), StoreError> {
        let _alone = self.maintenance.lock();
        self.condense().inspect_err(|_| self.closing.fail())?;
        self.closing.seal(forget)?;
        self.rows.forget_marks(forget.keys_before)?;
        self.rows.forget_refusals(forget.refusals_before)?;
        self.rows.tidy(forget.reservations_before, self.last_instant())
    }
}
