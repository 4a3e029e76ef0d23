//! Reads of a provider's answer what is asked for, in one pass.
//!
//! An answer may be a megabyte of text, vectors or chunks around a few numbers. What is not asked
//! for is skipped without being built.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The answer as far as `paths` lead into it. What a stream's later chunk reports replaces what an
/// earlier one did; the answer may also stand under an `envelope` in its chunks.
pub(crate) fn read<'p>(
    response: &str,
    paths: impl Iterator<Item = &'p String>,
    envelopes: &'p [String],
) -> serde_json::Result<Value> {
    let first = |path: &'p String| path.split('/').nth(1).map(unescaped);
    let wanted = paths.chain(envelopes).filter_map(first).collect();
    let mut reader = Reader { wanted, envelopes, answer: Value::Null };
    let mut deserializer = serde_json::Deserializer::from_str(response);
    reader.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(reader.answer)
}

struct Reader<'p> {
    /// The members of a chunk that the paths and envelopes begin with.
    wanted: Vec<String>,
    envelopes: &'p [String],
    answer: Value,
}

#[derive(Deserialize)]
struct Name<'n>(#[serde(borrow)] Cow<'n, str>);

impl<'de> DeserializeSeed<'de> for &mut Reader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a provider's answer")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut chunks: A) -> Result<(), A::Error> {
        while chunks.next_element_seed(&mut *self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut chunk = Map::new();
        while let Some(Name(name)) = members.next_key()? {
            if self.wanted.iter().any(|wanted| *wanted == name) {
                chunk.insert(name.into_owned(), members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        if chunk.is_empty() {
            return Ok(());
        }
        let mut chunk = Value::Object(chunk);
        for envelope in self.envelopes {
            if let Some(inner) = chunk.pointer_mut(envelope) {
                merge(&mut self.answer, inner.take());
            }
        }
        merge(&mut self.answer, chunk);
        Ok(())
    }

    // A stream may end with a word, which reports nothing.

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A step of a JSON Pointer, as RFC 6901 writes it, as the name that it means.
fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// Lays a value over another, objects member by member. A null reports nothing.
fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (_, Value::Null) => {}
        (Value::Object(under), Value::Object(over)) => {
            for (name, value) in over {
                merge(under.entry(name).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}
