//! An answer that breaks the contract.

use std::fmt;

/// What is wrong with a policy's answer, and where: `charges[2].cost: is negative`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub(crate) struct BadOutput {
    place: String,
    problem: String,
}

impl BadOutput {
    pub fn new(place: impl fmt::Display, problem: impl fmt::Display) -> Self {
        Self { place: place.to_string(), problem: problem.to_string() }
    }

    /// The same problem, seen from one level further out.
    pub fn within(mut self, outer: impl fmt::Display) -> Self {
        self.place = format!("{outer}.{}", self.place);
        self
    }
}

/// Reads a list, naming the entry that is at fault.
pub(crate) fn each<T, U>(
    name: &str,
    list: Vec<T>,
    read: impl Fn(T) -> Result<U, BadOutput>,
) -> Result<Vec<U>, BadOutput> {
    let numbered = list.into_iter().enumerate();
    numbered
        .map(|(i, item)| read(item).map_err(|e| e.within(format_args!("{name}[{i}]"))))
        .collect()
}

/// Reads one of the domain's words.
pub(crate) fn word<T: std::str::FromStr<Err: fmt::Display>>(
    place: &str,
    text: &str,
) -> Result<T, BadOutput> {
    text.parse().map_err(|error| BadOutput::new(place, format_args!("`{text}` {error}")))
}
