//! Where in an answer something stands.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

/// A JSON Pointer (RFC 6901) with two steps more: `[field=value]` chooses the first element of a
/// list whose field has that value, and `#` at the end counts the elements of a list.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Member(String),
    Element { field: String, value: String },
    Count,
}

/// What stands at a path.
pub(crate) enum Found<'a> {
    Value(&'a Value),
    Count(usize),
}

impl Path {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a JSON Pointer, such as /usage/total");
        let steps = text.strip_prefix('/').ok_or_else(wrong)?.split('/');
        let steps: Vec<_> = steps.map(step).collect();
        let counts = steps.iter().rev().skip(1).any(|step| matches!(step, Step::Count));
        if counts {
            return Err(format!("`{text}`: `#` stands at the end of a path"));
        }
        Ok(Self { text: text.into(), steps })
    }

    /// This path, from where another one leads.
    pub(crate) fn under(&self, root: Option<&Self>) -> Self {
        let Some(root) = root else { return self.clone() };
        let steps = root.steps.iter().chain(&self.steps).cloned().collect();
        Self { text: format!("{}{}", root.text, self.text), steps }
    }

    /// The member of the whole answer that the path leads through.
    pub(crate) fn first(&self) -> Option<&str> {
        match self.steps.first()? {
            Step::Member(name) => Some(name),
            Step::Element { .. } | Step::Count => None,
        }
    }

    pub(crate) fn find<'a>(&self, answer: &'a Value) -> Option<Found<'a>> {
        let mut value = answer;
        for step in &self.steps {
            value = match step {
                Step::Member(name) => match value {
                    Value::Object(members) => members.get(name)?,
                    Value::Array(items) => items.get(name.parse::<usize>().ok()?)?,
                    _ => return None,
                },
                Step::Element { field, value: wanted } => {
                    let is_wanted = |item: &&Value| {
                        let text = item.get(field).and_then(Value::as_str);
                        text.is_some_and(|text| text.eq_ignore_ascii_case(wanted))
                    };
                    value.as_array()?.iter().find(is_wanted)?
                }
                Step::Count => return Some(Found::Count(value.as_array()?.len())),
            };
        }
        Some(Found::Value(value))
    }
}

fn step(text: &str) -> Step {
    let choice = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    if let Some((field, value)) = choice.and_then(|choice| choice.split_once('=')) {
        return Step::Element { field: unescaped(field), value: unescaped(value) };
    }
    match text {
        "#" => Step::Count,
        name => Step::Member(unescaped(name)),
    }
}

/// A step as RFC 6901 writes it, as the name that it means.
fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}
