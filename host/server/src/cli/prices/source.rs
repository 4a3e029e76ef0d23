//! A file of JSON that others wrote, and on which line of it something stands.

use std::fmt;
use std::path::Path;

use anyhow::{Context, anyhow};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The text of a file, as it was read.
pub struct Source<'t> {
    file: String,
    text: &'t str,
}

impl<'t> Source<'t> {
    pub fn new(path: &Path, text: &'t str) -> Self {
        Self { file: path.display().to_string(), text }
    }

    /// The whole of it; the error says on which line it is no JSON.
    pub fn whole(&self) -> anyhow::Result<&'t RawValue> {
        let whole = serde_json::from_str(self.text);
        whole.map_err(|error| anyhow!("{}:{}: {error}", self.file, error.line()))
    }

    /// `file:line`, where a part of it stands.
    pub fn place(&self, part: &RawValue) -> String {
        let from = part.get().as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        let before = self.text.get(..from).unwrap_or_default();
        format!("{}:{}", self.file, before.matches('\n').count() + 1)
    }
}

/// The items of a list, each where it stands; none where the member is not there.
pub fn items<'t>(list: Option<&'t RawValue>, what: &str) -> anyhow::Result<Vec<&'t RawValue>> {
    let Some(list) = list else { return Ok(Vec::new()) };
    serde_json::from_str(list.get()).map_err(|_| anyhow!("{what} is no list"))
}

/// The members of an object in their order, each where it stands.
pub fn members<'t>(object: &'t RawValue, what: &str) -> anyhow::Result<Members<'t>> {
    serde_json::from_str(object.get()).map_err(|_| anyhow!("{what} is no object"))
}

/// A part of a file that was found to be JSON.
pub fn value(part: &RawValue) -> anyhow::Result<Value> {
    serde_json::from_str(part.get()).context("is no JSON")
}

/// The members of an object.
pub struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'t> Members<'t> {
    pub fn get(&self, name: &str) -> Option<&'t RawValue> {
        // As everywhere in JSON, the last of a name counts.
        self.0.iter().rev().find(|(own, _)| own == name).map(|(_, value)| *value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &'t RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_on_its_line() {
        let text = "{\n \"a\": [1,\n\n  {\"b\": 2}]}";
        let source = Source::new(Path::new("x.json"), text);
        let whole = members(source.whole().unwrap(), "the file").unwrap();
        let list = items(whole.get("a"), "a").unwrap();
        assert_eq!(
            list.iter().map(|it| source.place(it)).collect::<Vec<_>>(),
            ["x.json:2", "x.json:4"]
        );
        assert!(items(Some(list[1]), "b").is_err() && members(list[0], "1").is_err());
    }

    #[test]
    fn what_is_no_json_is_told_by_its_line() {
        let error = Source::new(Path::new("x.json"), "[1,\n2,,]").whole().unwrap_err();
        assert!(error.to_string().starts_with("x.json:2: "), "{error}");
    }
}
