//! The `[config]` table as JSON, and the way back from a JSON Pointer to its place in the file.

use std::ops::Range;

use toml_edit::{Item, TableLike, Value};

use super::ManifestError;
use super::reader::{Field, Reader};

/// Writes a table as a JSON object. A number keeps the digits that the operator wrote: no price
/// ever passes through a float.
pub(super) fn to_json(config: &Field) -> Result<String, ManifestError> {
    table_to_json(config.reader, config.table()?)
}

/// The same of a table that stands by itself.
pub(super) fn table_to_json(
    reader: &Reader,
    table: &dyn TableLike,
) -> Result<String, ManifestError> {
    let mut json = Writer { reader, out: String::new() };
    json.table(table)?;
    Ok(json.out)
}

/// Where the value at a JSON Pointer stands, or the nearest value around it that exists.
pub(super) fn span_at(config: &Item, pointer: &str) -> Option<Range<usize>> {
    let mut item = config;
    let mut span = config.span();
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        let index = step.parse::<usize>().ok();
        let Some(next) = item.get(&step).or_else(|| item.get(index?)) else { break };
        item = next;
        span = item.span().or(span);
    }
    span
}

struct Writer<'a> {
    reader: &'a Reader<'a>,
    out: String,
}

impl Writer<'_> {
    fn item(&mut self, item: &Item) -> Result<(), ManifestError> {
        match item {
            Item::None => self.out.push_str("null"),
            Item::Value(value) => self.value(value)?,
            Item::Table(table) => self.table(table)?,
            Item::ArrayOfTables(tables) => {
                self.list(tables.iter(), |json, table| json.table(table))?;
            }
        }
        Ok(())
    }

    fn value(&mut self, value: &Value) -> Result<(), ManifestError> {
        match value {
            Value::String(text) => self.string(text.value()),
            Value::Boolean(flag) => self.out.push_str(if *flag.value() { "true" } else { "false" }),
            Value::Datetime(time) => self.string(&time.value().to_string()),
            // JSON has no underscores, and no hexadecimal, octal or binary.
            Value::Integer(number) => self.out.push_str(&number.value().to_string()),
            Value::Float(number) => self.float(number.span())?,
            Value::Array(array) => self.list(array.iter(), Self::value)?,
            Value::InlineTable(table) => self.table(table)?,
        }
        Ok(())
    }

    fn table(&mut self, table: &dyn TableLike) -> Result<(), ManifestError> {
        self.out.push('{');
        for (i, (key, item)) in table.iter().enumerate() {
            self.comma(i);
            self.string(key);
            self.out.push(':');
            self.item(item)?;
        }
        self.out.push('}');
        Ok(())
    }

    fn list<T>(
        &mut self,
        items: impl Iterator<Item = T>,
        write: impl Fn(&mut Self, T) -> Result<(), ManifestError>,
    ) -> Result<(), ManifestError> {
        self.out.push('[');
        for (i, item) in items.enumerate() {
            self.comma(i);
            write(self, item)?;
        }
        self.out.push(']');
        Ok(())
    }

    /// The digits as they stand in the file, which are JSON's but for underscores and a plus.
    fn float(&mut self, span: Option<Range<usize>>) -> Result<(), ManifestError> {
        let literal = span.clone().and_then(|span| self.reader.text.get(span)).unwrap_or_default();
        let digits = literal.trim_start_matches('+').replace('_', "");
        if !digits.ends_with(|last: char| last.is_ascii_digit()) {
            let problem = format_args!("`{literal}` is not a decimal number");
            return Err(self.reader.error(span, problem));
        }
        self.out.push_str(&digits);
        Ok(())
    }

    fn string(&mut self, text: &str) {
        self.out.push_str(&serde_json::Value::from(text).to_string());
    }

    fn comma(&mut self, position: usize) {
        if position > 0 {
            self.out.push(',');
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::manifest::Manifest;

    fn json(config: &str) -> String {
        let text = format!("kind = \"alert\"\nplugin = \"a.wasm\"\n[config]\n{config}\n");
        Manifest::parse("a", text).unwrap().config
    }

    #[test]
    fn numbers_keep_the_digits_that_the_operator_wrote() {
        for (written, digits) in [
            ("0.30", "0.30"),
            ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
            ("+1_000.50", "1000.50"),
            ("-0.0", "-0.0"),
            ("5e-7", "5e-7"),
            ("1_000_000", "1000000"),
            ("0xff", "255"),
            ("9223372036854775807", "9223372036854775807"),
        ] {
            assert_eq!(json(&format!("n = {written}")), format!("{{\"n\":{digits}}}"));
        }
    }

    #[test]
    fn every_notation_of_toml_becomes_the_same_json() {
        let tables = "[[config.plans]]\nid = \"a\"\non = true\n[config.plans.at]\nd = 2025-01-31\n";
        let inline = "plans = [{ id = \"a\", on = true, at.d = 2025-01-31 }]";
        let expected = r#"{"plans":[{"id":"a","on":true,"at":{"d":"2025-01-31"}}]}"#;
        assert_eq!(json(tables), expected);
        assert_eq!(json(inline), expected);
        assert_eq!(json("s = \"\\u0001\\\"é\""), "{\"s\":\"\\u0001\\\"é\"}");
    }
}
