//! Callers' names of events, in sorted runs.
//!
//! A row for each of ten million names would take sled seconds to start with and most of a
//! gigabyte of memory. So the names of each round of condensing become one run: rows of some
//! hundred names each, sorted by hash. Runs of a like size are merged, as in a log-structured
//! merge tree, so that there are few; a filter for each, in memory, tells most names apart from
//! those of a run without reading it.

mod filter;

use std::collections::BTreeSet;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use self::filter::Filter;
use super::{Key, RowWriter, Rows, VALUE_BYTES_MAX};
use crate::event::EventId;
use crate::store::StoreError;
use crate::store::sled::overlay::EventName;

/// So many runs of a like size become one.
const FANOUT: usize = 8;

const NAME_BYTES: usize = size_of::<EventName>();

/// A name, six bytes of its block's number, and two of its place there: blocks are too small to
/// have more places.
const NAMED_BYTES: usize = NAME_BYTES + 8;

/// A name and what it names.
pub type Named = (EventName, EventId);

/// The runs there are. Held to read for a whole look-up, so that no run is forgotten under it.
#[derive(Default)]
pub struct Names(RwLock<Vec<Run>>);

struct Run {
    listed: Listed,
    filter: Filter,
}

/// What the list of runs says of one.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Listed {
    id: u32,
    names: u64,
}

impl Listed {
    /// Runs of one size class hold from 8ⁿ to 8ⁿ⁺¹ − 1 names.
    fn size_class(self) -> u32 {
        self.names.max(1).ilog(FANOUT as u64)
    }
}

impl Rows {
    /// Loads the list of runs and their filters, and clears away what a crash has left of others.
    pub(super) fn load_names(&self) -> Result<(), StoreError> {
        let listed: Vec<Listed> = self.get(&runs())?.unwrap_or_default();
        self.forget_unlisted(&listed.iter().map(|run| run.id).collect())?;
        let runs = listed.into_iter().map(|listed| {
            let rows = self.tree.scan_prefix(filter_rows(listed.id).0).values();
            let words = rows.map(|row| row.map_err(StoreError::from));
            Ok(Run { listed, filter: Filter::load(listed.names, words)? })
        });
        *self.names.0.write() = runs.collect::<Result<_, StoreError>>()?;
        Ok(())
    }

    /// What a caller gave this name.
    pub fn named(&self, name: &EventName) -> Result<Option<EventId>, StoreError> {
        let runs = self.names.0.read();
        // The newest first: what is sent again was mostly sent lately.
        for run in runs.iter().rev().filter(|run| run.filter.may_have(name)) {
            let rows = self
                .tree
                .range(row(run.listed.id, &EventName::default()).0..=row(run.listed.id, name).0);
            let Some(last) = { rows }.next_back() else { continue };
            let names = read(&last?.1)?;
            if let Ok(at) = names.binary_search_by(|(other, _)| other.cmp(name)) {
                return Ok(Some(names[at].1));
            }
        }
        Ok(None)
    }

    /// Adds names, sorted and each once, as a run of their own, and merges runs where there are
    /// many.
    pub(super) fn add_names(
        &self,
        names: impl ExactSizeIterator<Item = Named>,
    ) -> Result<(), StoreError> {
        if names.len() == 0 {
            return Ok(());
        }
        let count = names.len() as u64;
        let run = self.write_run(count, names.map(Ok))?;
        self.replace_runs(&BTreeSet::new(), run)?;
        while let Some(many) = self.runs_to_merge() {
            let count = many.iter().map(|run| run.names).sum();
            let ids = many.iter().map(|run| run.id).collect();
            let merged = Merged::new(many.iter().map(|run| self.names_of(run.id)));
            let run = self.write_run(count, merged)?;
            self.replace_runs(&ids, run)?;
            ids.iter().try_for_each(|id| self.forget_run(*id))?;
        }
        Ok(())
    }

    /// All names, sorted and each once.
    pub fn all_names(&self) -> impl Iterator<Item = Result<Named, StoreError>> {
        let ids: Vec<_> = self.names.0.read().iter().map(|run| run.listed.id).collect();
        Merged::new(ids.into_iter().map(|id| self.names_of(id)))
    }

    fn runs_to_merge(&self) -> Option<Vec<Listed>> {
        let runs = self.names.0.read();
        let of_class = |class| {
            let listed = runs.iter().map(|run| run.listed);
            listed.filter(|run| run.size_class() == class).collect::<Vec<_>>()
        };
        runs.iter().map(|run| of_class(run.listed.size_class())).find(|alike| alike.len() >= FANOUT)
    }

    /// Writes a run that is not listed yet; `expected` is at least how many names there are.
    fn write_run(
        &self,
        expected: u64,
        names: impl Iterator<Item = Result<Named, StoreError>>,
    ) -> Result<Run, StoreError> {
        let last = self.names.0.read().iter().map(|run| run.listed.id).max();
        let id = last.map_or(0, |last| last + 1);
        let mut filter = Filter::for_names(expected);
        let mut writer = RowWriter::to(self);
        let (mut written, mut chunk, mut first) = (0, Vec::with_capacity(VALUE_BYTES_MAX), None);
        for named in names {
            let (name, event) = named?;
            if chunk.len() + NAMED_BYTES > VALUE_BYTES_MAX {
                let key = row(id, &first.take().unwrap_or(name));
                writer.batch.insert(key.0, std::mem::take(&mut chunk));
                writer.waited()?;
            }
            first.get_or_insert(name);
            write(&mut chunk, &name, event);
            filter.add(&name);
            written += 1;
        }
        if let Some(first) = first {
            writer.batch.insert(row(id, &first).0, chunk);
        }
        for (number, words) in (0_u32..).zip(filter.rows()) {
            let key = [&filter_rows(id).0[..], &number.to_be_bytes()].concat();
            writer.batch.insert(key, words);
            writer.waited()?;
        }
        writer.finish()?;
        Ok(Run { listed: Listed { id, names: written }, filter })
    }

    /// Lists a run in place of others.
    fn replace_runs(&self, others: &BTreeSet<u32>, run: Run) -> Result<(), StoreError> {
        let mut names = self.names.0.write();
        names.retain(|run| !others.contains(&run.listed.id));
        names.push(run);
        let listed: Vec<_> = names.iter().map(|run| run.listed).collect();
        let mut writer = RowWriter::to(self);
        writer.put(&runs(), &listed)?;
        writer.finish()
    }

    fn names_of(&self, run: u32) -> impl Iterator<Item = Result<Named, StoreError>> + use<> {
        let rows = self.tree.scan_prefix(rows_of(run).0).values();
        rows.flat_map(|row| match row.map_err(StoreError::from).and_then(|row| read(&row)) {
            Ok(names) => names.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    fn forget_run(&self, run: u32) -> Result<(), StoreError> {
        let mut writer = RowWriter::to(self);
        for prefix in [rows_of(run), filter_rows(run)] {
            for key in self.tree.scan_prefix(prefix.0).keys() {
                writer.batch.remove(key?);
                writer.waited()?;
            }
        }
        writer.finish()
    }

    fn forget_unlisted(&self, listed: &BTreeSet<u32>) -> Result<(), StoreError> {
        for kind in [NAMES, FILTERS] {
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
}

const NAMES: u8 = b'E';
const FILTERS: u8 = b'e';

/// The list of runs.
fn runs() -> Key {
    Key::new(b'L', &[])
}

fn rows_of(run: u32) -> Key {
    Key::new(NAMES, &[&run.to_be_bytes()])
}

/// The row of a run that begins with this name.
fn row(run: u32, first: &EventName) -> Key {
    Key::new(NAMES, &[&run.to_be_bytes(), first])
}

fn filter_rows(run: u32) -> Key {
    Key::new(FILTERS, &[&run.to_be_bytes()])
}

fn run_of(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*key.get(1..)?.first_chunk()?))
}

fn write(chunk: &mut Vec<u8>, name: &EventName, event: EventId) {
    chunk.extend_from_slice(name);
    chunk.extend_from_slice(&event.block.to_be_bytes()[2..]);
    chunk.extend_from_slice(&event.index.to_be_bytes()[2..]);
}

fn read(row: &[u8]) -> Result<Vec<Named>, StoreError> {
    let damaged = || StoreError("a row of names is damaged".into());
    let (names, rest) = row.as_chunks::<NAMED_BYTES>();
    if !rest.is_empty() {
        return Err(damaged());
    }
    let names = names.iter().map(|bytes| {
        let (name, place) = bytes.split_first_chunk::<NAME_BYTES>()?;
        let (block, index) = place.split_first_chunk::<6>()?;
        let block = block.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let index = index.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        Some((*name, EventId { block, index }))
    });
    names.collect::<Option<_>>().ok_or_else(damaged)
}

/// Several runs as one: sorted, each name once.
struct Merged<I: Iterator> {
    runs: Vec<std::iter::Peekable<I>>,
    last: Option<EventName>,
}

impl<I: Iterator<Item = Result<Named, StoreError>>> Merged<I> {
    fn new(runs: impl Iterator<Item = I>) -> Self {
        Self { runs: runs.map(Iterator::peekable).collect(), last: None }
    }

    /// The next of all runs, the same name perhaps once more. What cannot be read comes first.
    fn next_of_all(&mut self) -> Option<Result<Named, StoreError>> {
        let mut first: Option<(usize, Option<EventName>)> = None;
        for (at, run) in self.runs.iter_mut().enumerate() {
            let Some(next) = run.peek() else { continue };
            let name = next.as_ref().ok().map(|(name, _)| *name);
            if first.is_none_or(|(_, least)| name < least) {
                first = Some((at, name));
            }
        }
        self.runs[first?.0].next()
    }
}

impl<I: Iterator<Item = Result<Named, StoreError>>> Iterator for Merged<I> {
    type Item = Result<Named, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_of_all()? {
                Ok((name, _)) if self.last == Some(name) => {}
                Ok(named) => {
                    self.last = Some(named.0);
                    return Some(Ok(named));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
