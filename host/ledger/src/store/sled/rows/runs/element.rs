//! Elements of runs, and rows of them.

use std::ops::Range;

use crate::store::StoreError;

pub type RunKey = [u8; 16];

/// What is found by a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    pub key: RunKey,
    pub value: u64,
}

impl Element {
    pub const BYTES: usize = size_of::<RunKey>() + size_of::<u64>();

    pub fn write(self, row: &mut Vec<u8>) {
        row.extend_from_slice(&self.key);
        row.extend_from_slice(&self.value.to_be_bytes());
    }

    fn of_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let (mut key, mut value) = (RunKey::default(), [0; size_of::<u64>()]);
        let (first, rest) = bytes.split_at(key.len());
        key.copy_from_slice(first);
        value.copy_from_slice(rest);
        Self { key, value: u64::from_be_bytes(value) }
    }
}

/// The elements of a row.
pub fn read(row: &[u8]) -> Result<Vec<Element>, StoreError> {
    Ok(chunks(row)?.iter().map(Element::of_bytes).collect())
}

/// The elements of a row whose keys begin so, and whether there are others before them.
pub fn beginning_with<'a>(
    row: &'a [u8],
    start: &[u8],
) -> Result<(impl Iterator<Item = Element> + use<'a>, bool), StoreError> {
    let elements = chunks(row)?;
    let first = elements.partition_point(|element| &element[..start.len()] < start);
    let (before, rest) = elements.split_at(first);
    let end = rest.partition_point(|element| element.starts_with(start));
    Ok((rest[..end].iter().map(Element::of_bytes), !before.is_empty()))
}

/// Where in a row the elements lie whose keys begin so and come before `before`.
pub fn places(
    row: &[u8],
    start: &[u8],
    before: Option<&RunKey>,
) -> Result<Range<usize>, StoreError> {
    let elements = chunks(row)?;
    let first = elements.partition_point(|element| &element[..start.len()] < start);
    let end = elements.partition_point(|element| match before {
        Some(before) => element[..before.len()] < before[..],
        None => &element[..start.len()] <= start,
    });
    Ok(first..end.max(first))
}

/// The element at a place of a row.
pub fn at(row: &[u8], place: usize) -> Element {
    let (elements, _) = row.as_chunks();
    Element::of_bytes(&elements[place])
}

fn chunks(row: &[u8]) -> Result<&[[u8; Element::BYTES]], StoreError> {
    match row.as_chunks() {
        (elements, []) => Ok(elements),
        _ => Err(StoreError("a row of a run is damaged".into())),
    }
}
