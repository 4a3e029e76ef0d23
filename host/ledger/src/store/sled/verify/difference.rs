//! How a difference is named, and how many are.

use std::collections::BTreeMap;
use std::fmt;

use tollgate_domain::{Amount, SubjectId};

use crate::store::StoreError;
use crate::totals::{Cell, Table, Totals};

/// More are counted, not named: damage may be everywhere.
pub const NAMED_MAX: usize = 1000;

/// Something stored that is not what the blocks say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Whose it is, where it is somebody's.
    pub subject: Option<SubjectId>,
    pub row: String,
    pub expected: String,
    pub found: String,
}

#[derive(Default)]
pub struct Differences {
    pub first: Vec<Difference>,
    pub total: u64,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(subject) = &self.subject {
            write!(f, "{subject}, ")?;
        }
        write!(f, "{}: expected {}, found {}", self.row, self.expected, self.found)
    }
}

impl Differences {
    pub fn push(
        &mut self,
        subject: Option<&SubjectId>,
        row: &str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) {
        self.total += 1;
        if self.first.len() < NAMED_MAX {
            let (expected, found) = (expected.to_string(), found.to_string());
            let (subject, row) = (subject.cloned(), row.to_owned());
            self.first.push(Difference { subject, row, expected, found });
        }
    }

    /// What was read; where it cannot be, that is a difference.
    pub fn readable<T>(&mut self, row: &str, read: Result<T, StoreError>) -> Option<T> {
        self.readable_of(None, row, read)
    }

    pub fn readable_of<T>(
        &mut self,
        subject: Option<&SubjectId>,
        row: &str,
        read: Result<T, StoreError>,
    ) -> Option<T> {
        read.map_err(|error| self.push(subject, row, "it to be whole", error)).ok()
    }

    /// Compares two tables cell by cell.
    pub fn compare_tables(
        &mut self,
        subject: &SubjectId,
        row: &str,
        expected: &Table,
        found: &Table,
    ) {
        if expected == found {
            return;
        }
        let nothing = Totals::default();
        let mut cells: BTreeMap<_, [&Totals; 2]> = BTreeMap::new();
        for (side, table) in [expected, found].into_iter().enumerate() {
            for Cell { provider, model, totals } in table.cells() {
                cells.entry((provider, model)).or_insert([&nothing; 2])[side] = totals;
            }
        }
        for ((provider, model), [expected, found]) in cells {
            let model = model.as_ref().map(|model| format!(" {model}")).unwrap_or_default();
            let row = format!("{row}, {provider}{model}");
            if expected != found {
                self.push(Some(subject), &row, apart(expected, found), apart(found, expected));
            }
        }
    }
}

/// What `totals` say that `others` do not.
fn apart(totals: &Totals, others: &Totals) -> String {
    let others: BTreeMap<_, _> = numbers(others).collect();
    let apart = numbers(totals).filter(|(name, number)| others.get(name) != Some(number));
    let apart: Vec<_> = apart.map(|(name, number)| format!("{name} {number}")).collect();
    if apart.is_empty() { "nothing".into() } else { apart.join(", ") }
}

/// Everything that totals say, by name.
pub fn numbers(totals: &Totals) -> impl Iterator<Item = (&str, Amount)> {
    let counts = [
        ("events", totals.events),
        ("failed", totals.failed),
        ("unpriced", totals.unpriced),
        ("timed", totals.timed),
        ("response_time_ms", totals.response_time_ms),
    ];
    let quantities = totals.quantities().map(|(name, amount)| (name.as_str(), amount));
    let whole = counts.into_iter().chain(quantities).map(|(name, n)| (name, Amount::from(n)));
    [("cost", totals.cost.0)].into_iter().chain(whole)
}
