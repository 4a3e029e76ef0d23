//! What became of many events.

use serde::Serialize;
use tollgate_ledger::Recorded;
use utoipa::ToSchema;

use crate::http::problem::{Problem, ProblemView};

/// Beyond these, problems are only counted.
const PROBLEMS_MAX: usize = 1000;

/// One bad event never costs the good ones.
#[derive(Default, Serialize, ToSchema)]
pub struct Tally {
    accepted: usize,
    duplicates: usize,
    rejected: usize,
    problems: Vec<Rejected>,
    /// Whether any of it was done before, under the same key.
    #[serde(skip)]
    pub replayed: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RejectedEvent)]
struct Rejected {
    index: usize,
    #[schema(value_type = ProblemView)]
    problem: Problem,
}

impl Tally {
    /// Counts the next event.
    pub fn count(&mut self, outcome: Result<Recorded, Problem>) {
        let index = self.counted();
        match outcome {
            Ok(recorded) => {
                self.replayed |= recorded.replayed;
                let counter =
                    if recorded.duplicate { &mut self.duplicates } else { &mut self.accepted };
                *counter += 1;
            }
            Err(problem) => {
                self.rejected += 1;
                if self.problems.len() < PROBLEMS_MAX {
                    self.problems.push(Rejected { index, problem });
                }
            }
        }
    }

    /// How many events were counted: the index of the next one.
    pub fn counted(&self) -> usize {
        self.accepted + self.duplicates + self.rejected
    }
}
