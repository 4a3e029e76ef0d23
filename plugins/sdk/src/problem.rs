//! What is wrong with a configuration.

pub use crate::bindings::common::exports::tollgate::policy::lifecycle::Problem;

use crate::Pointer;

impl Problem {
    /// A fault at `path`.
    pub fn at(path: &Pointer, message: impl Into<String>) -> Self {
        Self { path: path.to_string(), message: message.into() }
    }
}

/// Collects faults, so that an operator sees all of them at once.
///
/// ```
/// use tollgate_plugin::{Pointer, Problems};
///
/// let mut problems = Problems::default();
/// let at = Pointer::root().to("weekdays");
/// for (weekday, at) in [1, 7, 8].iter().zip(at.items()) {
///     problems.unless((1..=7).contains(weekday), &at, "is no day of the week");
/// }
/// let problems = problems.into_result().unwrap_err();
/// assert_eq!(problems[0].path, "/weekdays/2");
/// ```
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes a fault, unless what stands at `path` is right.
    pub fn unless(&mut self, right: bool, path: &Pointer, message: impl Into<String>) {
        if !right {
            self.note(path, message);
        }
    }

    /// Notes a fault.
    pub fn note(&mut self, path: &Pointer, message: impl Into<String>) {
        self.0.push(Problem::at(path, message));
    }

    /// All faults, where there are any.
    pub fn into_result(self) -> Result<(), Vec<Problem>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}
