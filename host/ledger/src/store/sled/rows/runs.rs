//! Small things that are found by a key, in sorted runs.
//!
//! A row for each of ten million would take sled seconds to start with and most of a gigabyte of
//! memory. So those of each round of condensing become one run: rows of some hundred elements
//! each, sorted by their keys. Runs of a like size are merged, as in a log-structured merge tree,
//! so that there are few; a filter for each, in memory, tells most keys apart from those of a run
//! without reading it.

mod element;
mod filter;
mod merged;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::iter::Peekable;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

pub use self::element::{Element, RunKey};
use self::filter::{Filter, Hash};
use self::merged::Merged;
use super::{Key, RowWriter, VALUE_BYTES_MAX, one_part};
use crate::store::StoreError;

/// So many runs of a like size become one.
const FANOUT: usize = 8;

/// What the elements of some runs are. Where a key has several, the largest value holds.
pub struct Kind {
    /// The first byte of the keys of its rows, and of those of its filters.
    pub rows: u8,
    pub filters: u8,
    /// It is asked for by so many of a key's first bytes.
    pub asked_bytes: usize,
    /// Whether no other value of the same key can hold.
    pub is_last: fn(u64) -> bool,
    /// Whether a last value and what it ends are both forgotten where they meet.
    pub last_is_forgotten: bool,
    /// Nobody asks for an element after this, in whatever unit its kind counts.
    pub until: fn(&Element) -> u64,
}

/// The runs there are. Held to read for a whole look-up, so that no run is forgotten under it.
pub struct Runs {
    kind: &'static Kind,
    tree: sled::Tree,
    runs: RwLock<Vec<Run>>,
}

struct Run {
    listed: Listed,
    filter: Filter,
}

/// What the list of runs says of one.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Listed {
    id: u32,
    elements: u64,
    /// The last that any of its elements is asked for.
    until: u64,
    /// The first and the last [`order`](Kind::order) of its elements.
    orders: [u64; 2],
}

impl Kind {
    /// What puts a key in order among those that are asked for by the same bytes, as far as a number
    /// tells.
    fn order(&self, key: &RunKey) -> u64 {
        let mut order = [0; size_of::<u64>()];
        order.iter_mut().zip(&key[self.asked_bytes..]).for_each(|(own, byte)| *own = *byte);
        u64::from_be_bytes(order)
    }
}

impl Listed {
    /// Runs of one size class hold from 8ⁿ to 8ⁿ⁺¹ − 1 elements.
    fn size_class(self) -> u32 {
        self.elements.max(1).ilog(FANOUT as u64)
    }
}

impl Runs {
    /// Loads the list of runs and their filters, and clears away what a crash has left of others.
    pub fn load(kind: &'static Kind, tree: &sled::Tree) -> Result<Self, StoreError> {
        let runs = Self { kind, tree: tree.clone(), runs: RwLock::default() };
        let row = tree.get(runs.list().part(0))?;
        let listed = row.map(|row| one_part::<Vec<Listed>>(&row, "a list of runs")).transpose()?;
        let listed = listed.unwrap_or_default();
        runs.forget_unlisted(&listed.iter().map(|run| run.id).collect())?;
        let loaded = listed.into_iter().map(|listed| {
            let rows = tree.scan_prefix(runs.filter_rows(listed.id).0).values();
            let words = rows.map(|row| row.map_err(StoreError::from));
            Ok(Run { listed, filter: Filter::load(listed.elements, words)? })
        });
        *runs.runs.write() = loaded.collect::<Result<_, StoreError>>()?;
        Ok(runs)
    }

    /// The value that holds for a key.
    pub fn find(&self, key: &RunKey) -> Result<Option<u64>, StoreError> {
        let runs = self.runs.read();
        let (hash, mut found) = (Hash::of(&key[..self.kind.asked_bytes]), None);
        // The newest first: what is asked for mostly changed lately.
        for run in runs.iter().rev().filter(|run| run.filter.may_have(hash)) {
            self.visit(run, key, |element| found = found.max(Some(element.value)))?;
            if found.is_some_and(self.kind.is_last) {
                break;
            }
        }
        Ok(found)
    }

    /// The elements that hold whose keys begin so, sorted.
    pub fn beginning_with(&self, start: &[u8]) -> Result<Vec<Element>, StoreError> {
        let runs = self.runs.read();
        let (hash, mut found) = (Hash::of(start), Vec::new());
        for run in runs.iter().filter(|run| run.filter.may_have(hash)) {
            self.visit(run, start, |element| found.push(element))?;
        }
        // Of each key the largest value first. Sorting takes little where so much is sorted.
        found.sort_by_key(|element| (element.key, Reverse(element.value)));
        found.dedup_by_key(|element| element.key);
        Ok(found)
    }

    /// The last elements that hold whose keys begin so and come before `before`: the last first,
    /// no more than so many. `start` is what such elements are asked by. Runs that lie further back
    /// are not looked into, so that many take no longer than few.
    pub fn last_beginning_with(
        &self,
        start: &[u8],
        before: Option<&RunKey>,
        limit: usize,
    ) -> Result<Vec<Element>, StoreError> {
        let runs = self.runs.read();
        let (hash, end) = (Hash::of(start), before.map_or(u64::MAX, |key| self.kind.order(key)));
        let may_have = |run: &&Run| run.filter.may_have(hash) && run.listed.orders[0] <= end;
        let mut unopened: Vec<_> = runs.iter().filter(may_have).map(|run| run.listed).collect();
        unopened.sort_unstable_by_key(|run| run.orders[1]);
        let (mut opened, mut found) = (Vec::new(), Vec::<Element>::new());
        // One more than is wanted: the last may come again.
        while found.len() <= limit {
            // What cannot be read comes before all else.
            let key = |next: &Result<Element, _>| {
                next.as_ref().map_or([u8::MAX; size_of::<RunKey>()], |e| e.key)
            };
            let last = |run: &mut Peekable<_>| run.peek().map(key);
            let next = opened.iter_mut().filter_map(last).max().map(|key| self.kind.order(&key));
            let is_due = |run: &mut Listed| next.is_none_or(|next| run.orders[1] >= next);
            if let Some(run) = unopened.pop_if(is_due) {
                opened.push(self.back(run.id, start, before).peekable());
                continue;
            }
            let last = opened.iter_mut().filter_map(|run| Some((run.peek().map(key)?, run)));
            let Some((_, run)) = last.max_by_key(|(key, _)| *key) else { break };
            let Some(element) = run.next().transpose()? else { break };
            match found.last_mut().filter(|last| last.key == element.key) {
                Some(same) => same.value = same.value.max(element.value),
                None => found.push(element),
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// All elements that hold, in the order of their keys.
    pub fn all(&self) -> impl Iterator<Item = Result<Element, StoreError>> {
        let ids: Vec<_> = self.runs.read().iter().map(|run| run.listed.id).collect();
        let merged = Merged::new(ids.into_iter().map(|id| self.elements_of(id)));
        merged.map(|element| element.map(|(element, _)| element))
    }

    /// Adds elements, sorted and each key once, as a run of their own.
    pub fn add(&self, elements: impl ExactSizeIterator<Item = Element>) -> Result<(), StoreError> {
        if elements.len() == 0 {
            return Ok(());
        }
        let run = self.write_run(elements.len() as u64, elements.map(Ok))?;
        self.replace_runs(&BTreeSet::new(), run)
    }

    /// Merges runs where there are many. What nobody asks for after `before` goes: on the way, or
    /// where it is all there is of a run.
    pub fn tidy(&self, before: u64) -> Result<(), StoreError> {
        let runs: Vec<_> = self.runs.read().iter().map(|run| run.listed).collect();
        let old = runs.into_iter().filter(|run| run.until < before);
        self.replace_and_forget(&old.map(|run| run.id).collect(), None)?;
        while let Some(many) = self.runs_to_merge() {
            let count = many.iter().map(|run| run.elements).sum();
            let ids = many.iter().map(|run| run.id).collect();
            let merged = Merged::new(many.iter().map(|run| self.elements_of(run.id)));
            let kept = merged.filter_map(|element| match element {
                Ok((element, alone)) => self.keeps(&element, alone, before).then_some(Ok(element)),
                Err(error) => Some(Err(error)),
            });
            let run = self.write_run(count, kept)?;
            self.replace_and_forget(&ids, run)?;
        }
        Ok(())
    }

    fn keeps(&self, element: &Element, alone: bool, before: u64) -> bool {
        let Kind { is_last, last_is_forgotten, until, .. } = self.kind;
        until(element) >= before && (alone || !last_is_forgotten || !is_last(element.value))
    }

    fn runs_to_merge(&self) -> Option<Vec<Listed>> {
        let runs = self.runs.read();
        let of_class = |class| {
            let listed = runs.iter().map(|run| run.listed);
            listed.filter(|run| run.size_class() == class).collect::<Vec<_>>()
        };
        runs.iter().map(|run| of_class(run.listed.size_class())).find(|alike| alike.len() >= FANOUT)
    }

    /// Shows the elements of a run whose keys begin so.
    fn visit(
        &self,
        run: &Run,
        start: &[u8],
        mut show: impl FnMut(Element),
    ) -> Result<(), StoreError> {
        let mut last = [u8::MAX; size_of::<RunKey>()];
        last[..start.len()].copy_from_slice(start);
        let first = RunKey::default();
        let rows =
            self.tree.range(self.row(run.listed.id, &first).0..=self.row(run.listed.id, &last).0);
        for row in rows.rev() {
            let (_, row) = row?;
            let (found, others_before) = element::beginning_with(&row, start)?;
            found.for_each(&mut show);
            if others_before {
                break;
            }
        }
        Ok(())
    }

    /// The elements of a run whose keys begin so and come before `before`, the last first.
    fn back<'a>(
        &self,
        run: u32,
        start: &'a [u8],
        before: Option<&'a RunKey>,
    ) -> impl Iterator<Item = Result<Element, StoreError>> + use<'a> {
        let mut last = [u8::MAX; size_of::<RunKey>()];
        last[..start.len()].copy_from_slice(start);
        let (first, last) = (RunKey::default(), before.unwrap_or(&last));
        let mut rows = self.tree.range(self.row(run, &first).0..=self.row(run, last).0).rev();
        let (mut of_row, mut left, mut is_over) = (sled::IVec::default(), 0..0, false);
        std::iter::from_fn(move || {
            while left.is_empty() && !is_over {
                let row = rows.next()?.map_err(StoreError::from);
                let found =
                    row.and_then(|(_, row)| Ok((element::places(&row, start, before)?, row)));
                match found {
                    // Others lie before them.
                    Ok((places, row)) => (is_over, left, of_row) = (places.start > 0, places, row),
                    Err(error) => {
                        is_over = true;
                        return Some(Err(error));
                    }
                }
            }
            Some(Ok(element::at(&of_row, left.next_back()?)))
        })
    }

    /// Writes a run that is not listed yet; `expected` is at least how many elements there are.
    fn write_run(
        &self,
        expected: u64,
        elements: impl Iterator<Item = Result<Element, StoreError>>,
    ) -> Result<Option<Run>, StoreError> {
        let last = self.runs.read().iter().map(|run| run.listed.id).max();
        let mut listed = Listed {
            id: last.map_or(0, |last| last + 1),
            elements: 0,
            until: 0,
            orders: [u64::MAX, 0],
        };
        let mut filter = Filter::for_keys(expected);
        let mut writer = RowWriter::to_tree(&self.tree);
        let (mut chunk, mut first) = (Vec::with_capacity(VALUE_BYTES_MAX), None);
        for element in elements {
            let element = element?;
            if chunk.len() + Element::BYTES > VALUE_BYTES_MAX {
                let key = self.row(listed.id, &first.take().unwrap_or(element.key));
                writer.batch.insert(key.0, std::mem::take(&mut chunk));
                writer.waited()?;
            }
            first.get_or_insert(element.key);
            element.write(&mut chunk);
            filter.add(Hash::of(&element.key[..self.kind.asked_bytes]));
            listed.elements += 1;
            listed.until = listed.until.max((self.kind.until)(&element));
            let (order, [first, last]) = (self.kind.order(&element.key), listed.orders);
            listed.orders = [first.min(order), last.max(order)];
        }
        let Some(first) = first else { return Ok(None) };
        writer.batch.insert(self.row(listed.id, &first).0, chunk);
        for (number, words) in (0_u32..).zip(filter.rows()) {
            let key = [&self.filter_rows(listed.id).0[..], &number.to_be_bytes()].concat();
            writer.batch.insert(key, words);
            writer.waited()?;
        }
        writer.finish()?;
        Ok(Some(Run { listed, filter }))
    }

    fn replace_and_forget(
        &self,
        others: &BTreeSet<u32>,
        run: Option<Run>,
    ) -> Result<(), StoreError> {
        if others.is_empty() {
            return Ok(());
        }
        self.replace_runs(others, run)?;
        others.iter().try_for_each(|id| self.forget_run(*id))
    }

    /// Lists a run in place of others.
    fn replace_runs(&self, others: &BTreeSet<u32>, run: Option<Run>) -> Result<(), StoreError> {
        let mut runs = self.runs.write();
        runs.retain(|run| !others.contains(&run.listed.id));
        runs.extend(run);
        let listed: Vec<_> = runs.iter().map(|run| run.listed).collect();
        let mut writer = RowWriter::to_tree(&self.tree);
        writer.put(&self.list(), &listed)?;
        writer.finish()
    }

    fn elements_of(&self, run: u32) -> impl Iterator<Item = Result<Element, StoreError>> + use<> {
        let rows = self.tree.scan_prefix(self.rows_of(run).0).values();
        rows.flat_map(|row| {
            match row.map_err(StoreError::from).and_then(|row| element::read(&row)) {
                Ok(elements) => elements.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            }
        })
    }

    fn forget_run(&self, run: u32) -> Result<(), StoreError> {
        let mut writer = RowWriter::to_tree(&self.tree);
        for prefix in [self.rows_of(run), self.filter_rows(run)] {
            for key in self.tree.scan_prefix(prefix.0).keys() {
                writer.batch.remove(key?);
                writer.waited()?;
            }
        }
        writer.finish()
    }

    fn forget_unlisted(&self, listed: &BTreeSet<u32>) -> Result<(), StoreError> {
        for kind in [self.kind.rows, self.kind.filters] {
            let mut next = Some(0);
            while let Some(id) = next {
                let from = Key::new(kind, &[&u32::to_be_bytes(id)]).0;
                let found = self.tree.range(from..vec![kind + 1]).keys().next().transpose()?;
                let Some(run) = found.as_deref().and_then(run_of) else { break };
                if !listed.contains(&run) {
                    self.forget_run(run)?;
                }
                next = run.checked_add(1);
            }
        }
        Ok(())
    }

    /// The list of runs: far shorter than a part may be, since there are few.
    fn list(&self) -> Key {
        Key::new(b'L', &[&[self.kind.rows]])
    }

    fn rows_of(&self, run: u32) -> Key {
        Key::new(self.kind.rows, &[&run.to_be_bytes()])
    }

    /// The row of a run that begins with this key.
    fn row(&self, run: u32, first: &RunKey) -> Key {
        Key::new(self.kind.rows, &[&run.to_be_bytes(), first])
    }

    fn filter_rows(&self, run: u32) -> Key {
        Key::new(self.kind.filters, &[&run.to_be_bytes()])
    }
}

fn run_of(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*key.get(1..)?.first_chunk()?))
}
