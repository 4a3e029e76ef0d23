//! Which names of models a price is meant for.

use std::sync::OnceLock;

use regex_lite::{Regex, RegexBuilder};
use serde::Deserialize;

/// A condition on a model's name. Case does not matter.
#[derive(Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a pattern, a list of them, or one of { all = [...] }, { any = [...] } \
                 and { regex = \"...\" }"
)]
pub(crate) enum Match {
    /// A name, or one with `*` for any rest at its begin, its end, or both.
    Pattern(String),
    /// Any of these.
    Any(Vec<Match>),
    Condition(Condition),
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub(crate) enum Condition {
    /// All of these.
    All(Vec<Match>),
    /// Any of these.
    Any(Vec<Match>),
    /// A regular expression that is found somewhere in the name.
    Regex(String),
}

/// A condition, ready to be asked with names in lower case.
pub(crate) enum Matcher {
    Equals(String),
    Prefix(String),
    Suffix(String),
    Contains(String),
    All(Vec<Matcher>),
    Any(Vec<Matcher>),
    Regex(Pattern),
}

/// A regular expression that is compiled when it is first asked: most never are, and compiled they
/// take more room than all else.
pub(crate) struct Pattern {
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

fn compiled(text: &str) -> Result<Regex, regex_lite::Error> {
    RegexBuilder::new(text).case_insensitive(true).size_limit(REGEX_BYTES_MAX).build()
}

/// How much a regular expression may come to, compiled: a catalogue is written by somebody else.
const REGEX_BYTES_MAX: usize = 256 << 10;

impl Match {
    /// Says what is wrong with which part of the condition.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self {
            Self::Pattern(pattern) => of_pattern(pattern).map(drop),
            Self::Any(list) | Self::Condition(Condition::Any(list) | Condition::All(list)) => {
                list.iter().try_for_each(Self::check)
            }
            Self::Condition(Condition::Regex(text)) => compiled(text)
                .map(drop)
                .map_err(|error| format!("`{text}` is no regular expression: {error}")),
        }
    }

    /// Makes the condition ready to be asked; the error is one that the check finds.
    pub(crate) fn compile(&self) -> Result<Matcher, String> {
        let all = |list: &[Self]| list.iter().map(Self::compile).collect::<Result<Vec<_>, _>>();
        Ok(match self {
            Self::Pattern(pattern) => return of_pattern(pattern),
            Self::Any(list) | Self::Condition(Condition::Any(list)) => Matcher::Any(all(list)?),
            Self::Condition(Condition::All(list)) => Matcher::All(all(list)?),
            Self::Condition(Condition::Regex(text)) => {
                Matcher::Regex(Pattern { text: text.clone(), compiled: OnceLock::new() })
            }
        })
    }
}

impl Pattern {
    fn is_in(&self, name: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| compiled(&self.text).ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(name))
    }
}

fn of_pattern(pattern: &str) -> Result<Matcher, String> {
    let text = pattern.to_lowercase();
    let (from_start, rest) = text.strip_prefix('*').map_or((false, &*text), |rest| (true, rest));
    let (to_end, name) = rest.strip_suffix('*').map_or((false, rest), |name| (true, name));
    if name.contains('*') {
        return Err(format!("`{pattern}`: `*` stands at the begin or at the end of a pattern"));
    }
    let name = name.to_owned();
    Ok(match (from_start, to_end) {
        (false, false) => Matcher::Equals(name),
        (false, true) => Matcher::Prefix(name),
        (true, false) if !name.is_empty() => Matcher::Suffix(name),
        (true, _) => Matcher::Contains(name),
    })
}

impl Matcher {
    pub(crate) fn is_met_by(&self, name: &str) -> bool {
        match self {
            Self::Equals(text) => name == text,
            Self::Prefix(text) => name.starts_with(text.as_str()),
            Self::Suffix(text) => name.ends_with(text.as_str()),
            Self::Contains(text) => name.contains(text.as_str()),
            Self::All(list) => list.iter().all(|matcher| matcher.is_met_by(name)),
            Self::Any(list) => list.iter().any(|matcher| matcher.is_met_by(name)),
            Self::Regex(pattern) => pattern.is_in(name),
        }
    }

    /// Takes the condition apart: the names that meet it by being equal to one, and what is left
    /// to be asked.
    pub(crate) fn split(self) -> (Vec<String>, Option<Self>) {
        match self {
            Self::Equals(name) => (vec![name], None),
            Self::Any(list) => {
                let (mut names, mut rest) = (Vec::new(), Vec::new());
                for matcher in list {
                    let (equals, other) = matcher.split();
                    names.extend(equals);
                    rest.extend(other);
                }
                (names, (!rest.is_empty()).then_some(Self::Any(rest)))
            }
            other => (Vec::new(), Some(other)),
        }
    }
}
