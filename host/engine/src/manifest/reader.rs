//! Reading TOML so that whatever is wrong names its line.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use toml_edit::{Item, TableLike};

use super::ManifestError;

/// The file that is read.
pub(super) struct Reader<'a> {
    pub file: &'a str,
    pub text: &'a str,
}

/// A table whose every key must be asked for: what is left over is unknown.
pub(super) struct Section<'a> {
    reader: &'a Reader<'a>,
    /// With its dot, for messages; empty at the top.
    prefix: String,
    table: &'a dyn TableLike,
    known: Vec<&'static str>,
}

/// A value and the name that messages give it.
pub(super) struct Field<'a> {
    pub reader: &'a Reader<'a>,
    name: String,
    pub item: &'a Item,
}

impl<'a> Reader<'a> {
    pub fn top(&'a self, table: &'a dyn TableLike) -> Section<'a> {
        Section { reader: self, prefix: String::new(), table, known: Vec::new() }
    }

    pub fn error(&self, span: Option<Range<usize>>, problem: impl fmt::Display) -> ManifestError {
        ManifestError {
            file: self.file.to_owned(),
            line: line(self.text, span),
            problem: problem.to_string(),
        }
    }
}

impl<'a> Section<'a> {
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Field<'a>) -> Result<T, ManifestError>,
    ) -> Result<Option<T>, ManifestError> {
        self.field(key).map(|field| read(&field)).transpose()
    }

    pub fn required(&mut self, key: &'static str) -> Result<Field<'a>, ManifestError> {
        let missing = self.reader.error(None, format_args!("`{}{key}` is missing", self.prefix));
        self.field(key).ok_or(missing)
    }

    /// Refuses the first key that nobody asked for.
    pub fn finish(self) -> Result<(), ManifestError> {
        let unknown = self.table.iter().find(|(key, _)| !self.known.contains(key));
        let Some((name, _)) = unknown else { return Ok(()) };
        let span = self.table.key(name).and_then(|key| key.span());
        Err(self.reader.error(span, format_args!("unknown key `{}{name}`", self.prefix)))
    }

    fn field(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.known.push(key);
        let item = self.table.get(key)?;
        Some(Field { reader: self.reader, name: format!("{}{key}", self.prefix), item })
    }
}

impl<'a> Field<'a> {
    pub fn error(&self, problem: impl fmt::Display) -> ManifestError {
        self.reader.error(self.item.span(), format_args!("`{}` {problem}", self.name))
    }

    pub fn section(&self) -> Result<Section<'a>, ManifestError> {
        Ok(Section { prefix: format!("{}.", self.name), ..self.reader.top(self.table()?) })
    }

    pub fn table(&self) -> Result<&'a dyn TableLike, ManifestError> {
        self.item.as_table_like().ok_or_else(|| self.error("must be a table"))
    }

    pub fn text(&self) -> Result<&'a str, ManifestError> {
        self.item.as_str().ok_or_else(|| self.error("must be a string"))
    }

    /// One of a set of words; its error says which.
    pub fn word<T: FromStr<Err: fmt::Display>>(&self) -> Result<T, ManifestError> {
        self.text()?.parse().map_err(|error| self.error(error))
    }

    /// A string, or a list of them.
    pub fn words(&self) -> Result<Vec<&'a str>, ManifestError> {
        if let Some(word) = self.item.as_str() {
            return Ok(vec![word]);
        }
        let words =
            self.item.as_array().and_then(|array| array.iter().map(|it| it.as_str()).collect());
        words.ok_or_else(|| self.error("must be a string or a list of strings"))
    }

    pub fn integer(&self) -> Result<i64, ManifestError> {
        self.item.as_integer().ok_or_else(|| self.error("must be a whole number"))
    }

    pub fn positive(&self) -> Result<u64, ManifestError> {
        let value = self.item.as_integer().and_then(|value| u64::try_from(value).ok());
        value.filter(|value| *value > 0).ok_or_else(|| self.error("must be a whole number from 1"))
    }

    pub fn texts(&self) -> Result<Vec<String>, ManifestError> {
        let texts = self.item.as_array().and_then(|array| {
            array.iter().map(|value| value.as_str().map(str::to_owned)).collect()
        });
        texts.ok_or_else(|| self.error("must be a list of strings"))
    }
}

/// The line, from 1, in which a span begins; the first where there is no span.
pub(super) fn line(text: &str, span: Option<Range<usize>>) -> usize {
    let before = text.get(..span.map_or(0, |span| span.start)).unwrap_or(text);
    before.matches('\n').count() + 1
}
