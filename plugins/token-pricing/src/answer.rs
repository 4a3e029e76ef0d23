//! Reads of a provider's answer what is asked for, in one pass.
//!
//! An answer may be a megabyte of text, vectors or chunks around a few numbers. What is not asked
//! for is skipped without being built.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::path::{Found, Path};

/// What of an answer is wanted.
pub(crate) struct Wanted<'p> {
    /// The members of a chunk that paths begin with.
    pub(crate) members: &'p [String],
    /// Where the answer may stand, besides at its root.
    pub(crate) envelopes: &'p [Path],
    /// Whether only a stream's chunks have envelopes.
    pub(crate) of_chunks_only: bool,
    /// Whether every chunk counts, instead of the last that reports a number.
    pub(crate) each_chunk: bool,
}

/// The answer as far as it is wanted: one, or each chunk of a stream of which every chunk counts.
pub(crate) fn read(response: &str, wanted: Wanted<'_>) -> serde_json::Result<Vec<Value>> {
    let mut reader = Reader { wanted, answers: Vec::new(), depth: 0 };
    let mut deserializer = serde_json::Deserializer::from_str(response);
    reader.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(reader.answers)
}

struct Reader<'p> {
    wanted: Wanted<'p>,
    answers: Vec<Value>,
    /// How many lists the value that is read stands in.
    depth: usize,
}

// Transparent, since a number comes as a map too, whose one key is nothing but a text.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'n>(#[serde(borrow)] Cow<'n, str>);

impl<'p> Reader<'p> {
    /// Whether the first step of a path, or of an envelope, is this member.
    fn wants(&self, name: &str) -> bool {
        self.wanted.members.iter().any(|member| member == name)
            || self.envelopes().iter().any(|path| path.first() == Some(name))
    }

    fn envelopes(&self) -> &'p [Path] {
        if self.depth > 0 || !self.wanted.of_chunks_only { self.wanted.envelopes } else { &[] }
    }

    fn take(&mut self, chunk: Value) {
        if self.wanted.each_chunk || self.answers.is_empty() {
            self.answers.push(Value::Null);
        }
        let envelopes = self.envelopes();
        let Some(answer) = self.answers.last_mut() else { return };
        for envelope in envelopes {
            if let Some(Found::Value(inner)) = envelope.find(&chunk) {
                merge(answer, inner.clone());
            }
        }
        merge(answer, chunk);
    }
}

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
        self.depth += 1;
        while chunks.next_element_seed(&mut *self)?.is_some() {}
        self.depth -= 1;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut chunk = Map::new();
        while let Some(Name(name)) = members.next_key()? {
            if self.wants(&name) {
                chunk.insert(name.into_owned(), members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        if !chunk.is_empty() {
            self.take(Value::Object(chunk));
        }
        Ok(())
    }

    // A stream may end with a word or a number, which reports nothing.

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

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
