//! Several runs as one.

use std::iter::Peekable;

use super::Element;
use crate::store::StoreError;

/// The elements of several runs, sorted, and of each key the one that holds: with whether it was
/// the only one.
pub struct Merged<I: Iterator> {
    runs: Vec<Peekable<I>>,
}

impl<I: Iterator<Item = Result<Element, StoreError>>> Merged<I> {
    pub fn new(runs: impl Iterator<Item = I>) -> Self {
        Self { runs: runs.map(Iterator::peekable).collect() }
    }

    /// The run whose next element comes first. What cannot be read comes before all else.
    fn first(&mut self) -> Option<&mut Peekable<I>> {
        let mut first = None;
        for (at, run) in self.runs.iter_mut().enumerate() {
            let Some(next) = run.peek() else { continue };
            let key = next.as_ref().ok().map(|element| element.key);
            if first.is_none_or(|(_, least)| key < least) {
                first = Some((at, key));
            }
        }
        self.runs.get_mut(first?.0)
    }
}

impl<I: Iterator<Item = Result<Element, StoreError>>> Iterator for Merged<I> {
    type Item = Result<(Element, bool), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut holds = match self.first()?.next()? {
            Ok(element) => element,
            Err(error) => return Some(Err(error)),
        };
        let mut alone = true;
        let same = |next: &Result<Element, _>| next.as_ref().is_ok_and(|e| e.key == holds.key);
        while let Some(Ok(other)) = self.first().and_then(|run| run.next_if(same)) {
            holds.value = holds.value.max(other.value);
            alone = false;
        }
        Some(Ok((holds, alone)))
    }
}
