//! Which names of models a price is meant for.

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
    Regex(regex_lite::Regex),
}

/// How much a regular expression may come to, compiled: a catalogue is written by somebody else.
const REGEX_BYTES_MAX: usize = 256 << 10;

impl Match {
    /// Reads the condition; the error says what is wrong with which part of it.
    pub(crate) fn compile(&self) -> Result<Matcher, String> {
        let all = |list: &[Self]| list.iter().map(Self::compile).collect::<Result<Vec<_>, _>>();
        Ok(match self {
            Self::Pattern(pattern) => return of_pattern(pattern),
            Self::Any(list) | Self::Condition(Condition::Any(list)) => Matcher::Any(all(list)?),
            Self::Condition(Condition::All(list)) => Matcher::All(all(list)?),
            Self::Condition(Condition::Regex(text)) => {
                let mut builder = regex_lite::RegexBuilder::new(text);
                let regex = builder.case_insensitive(true).size_limit(REGEX_BYTES_MAX).build();
                Matcher::Regex(regex.map_err(|error| format!("`{text}` is no regex: {error}"))?)
            }
        })
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
            Self::Regex(regex) => regex.is_match(name),
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
