//! Who makes which call: dealt out by a row's place in the trace, so that every run is the same.
//!
//! - Row `i`, from 0, is a call of subject `s = i mod subjects`, which is named `load-<s>`.
//! - Subject `s` has plan `s mod 4` of [`PLANS`].
//! - A subject's `n`th call, from 0, goes to model `(s + n) mod 5` of [`MODELS`], two of which the
//!   free plan does not sell.
//! - Each 25th call of a subject asks for [`UNSOLD_FEATURE`], so that every plan has to refuse.

use std::num::NonZeroUsize;

/// The plans of the shipped policies.
const PLANS: [&str; 4] = ["free", "basic", "pro", "enterprise"];

/// Provider and model, all of them in the shipped price list.
const MODELS: [(&str, &str); 5] = [
    ("gemini", "gemini-2.5-flash"),
    ("gemini", "gemini-2.0-flash-lite"),
    ("openai", "gpt-4o"),
    ("gemini", "gemini-2.5-pro"),
    ("anthropic", "claude-sonnet-4-5"),
];

/// What no plan includes.
const UNSOLD_FEATURE: &str = "on_premises";
const UNSOLD_EVERY: usize = 25;

/// How the rows of a trace become the calls of subjects.
#[derive(Clone, Copy, Debug)]
pub struct Deal {
    subjects: usize,
}

/// What a row asks for, its tokens apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dealt {
    /// By number; [`subject_name`] spells it.
    pub subject: usize,
    pub provider: &'static str,
    pub model: &'static str,
    pub features: &'static [&'static str],
}

impl Deal {
    pub fn new(subjects: NonZeroUsize) -> Self {
        Self { subjects: subjects.get() }
    }

    pub fn subjects(&self) -> std::ops::Range<usize> {
        0..self.subjects
    }

    pub fn row(&self, index: usize) -> Dealt {
        let (subject, turn) = (index % self.subjects, index / self.subjects);
        let (provider, model) = MODELS[(subject + turn) % MODELS.len()];
        let unsold = turn % UNSOLD_EVERY == UNSOLD_EVERY - 1;
        let features: &[_] = if unsold { &[UNSOLD_FEATURE] } else { &[] };
        Dealt { subject, provider, model, features }
    }
}

pub fn subject_name(subject: usize) -> String {
    format!("load-{subject}")
}

pub fn plan(subject: usize) -> &'static str {
    PLANS[subject % PLANS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_gets_every_model_and_calls_that_it_does_not_sell() {
        for subjects in [4, 5, 6, 8, 20, 25] {
            let deal = Deal::new(NonZeroUsize::new(subjects).unwrap());
            for wanted in PLANS {
                let calls: Vec<_> = (0..subjects * 25)
                    .map(|index| deal.row(index))
                    .filter(|call| plan(call.subject) == wanted)
                    .collect();
                for (_, model) in MODELS {
                    assert!(calls.iter().any(|call| call.model == model), "{wanted}, {model}");
                }
                assert!(calls.iter().any(|call| !call.features.is_empty()), "{wanted}");
            }
        }
    }
}
