//! What tells one content from another: neither the order of fields nor space between them does.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use tollgate_ledger::Fingerprint;

use super::json::not_json;
use super::problem::Problem;

/// Values that lie deeper are read into a tree: each level of looking reads all beneath it again.
const LEVELS_MAX: usize = 4;

/// Of a JSON text: of the same values without space, the fields of every object in the order of
/// their names.
pub fn fingerprint(json: &[u8]) -> Result<Fingerprint, Problem> {
    let mut text = Vec::with_capacity(json.len());
    serde_json::from_slice(json)
        .and_then(|value: &RawValue| write(value.get(), LEVELS_MAX, &mut text))
        .map_err(not_json)?;
    Ok(Fingerprint::of(&text))
}

fn write(json: &str, levels: usize, text: &mut Vec<u8>) -> serde_json::Result<()> {
    match json.as_bytes() {
        [b'{' | b'[', ..] if levels == 0 => {
            let mut value: Value = serde_json::from_str(json)?;
            value.sort_all_objects();
            serde_json::to_writer(text, &value)
        }
        [b'{', ..] => {
            let Fields(mut fields) = serde_json::from_str(json)?;
            // A name that is given twice is what it was given last.
            fields.reverse();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            fields.dedup_by(|(a, _), (b, _)| a == b);
            text.push(b'{');
            for (at, (name, value)) in fields.into_iter().enumerate() {
                text.extend_from_slice(if at == 0 { b"" } else { b"," });
                serde_json::to_writer(&mut *text, &name)?;
                text.push(b':');
                write(value.get(), levels - 1, text)?;
            }
            text.push(b'}');
            Ok(())
        }
        [b'[', ..] => {
            let values: Vec<&RawValue> = serde_json::from_str(json)?;
            text.push(b'[');
            for (at, value) in values.into_iter().enumerate() {
                text.extend_from_slice(if at == 0 { b"" } else { b"," });
                write(value.get(), levels - 1, text)?;
            }
            text.push(b']');
            Ok(())
        }
        // What is escaped can be spelled in several ways; a number differs by its digits.
        bytes if bytes.contains(&b'\\') || number_has_exponent(bytes) => {
            serde_json::to_writer(text, &serde_json::from_str::<Value>(json)?)
        }
        bytes => {
            text.extend_from_slice(bytes);
            Ok(())
        }
    }
}

/// Exponents, too, are spelled in several ways.
fn number_has_exponent(bytes: &[u8]) -> bool {
    matches!(bytes, [b'0'..=b'9' | b'-', ..]) && bytes.iter().any(|b| matches!(b, b'e' | b'E'))
}

/// The fields of an object, as they come.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::with_capacity(8);
                while let Some((Name(name), value)) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// A name, copied only where something in it is escaped.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Fingerprint {
        fingerprint(json.as_bytes()).unwrap()
    }

    #[test]
    fn order_and_space_do_not_make_another_content() {
        assert_eq!(of(r#"{"a":1,"b":{"c":2,"d":3}}"#), of(r#" {"b": {"d":3,"c":2}, "a":1}"#));
        assert_ne!(of(r#"{"a":1}"#), of(r#"{"a":1.0}"#));
        assert_ne!(of(r#"{"a":[1,2]}"#), of(r#"{"a":[2,1]}"#));
    }

    /// What is stored was written by all versions before.
    #[test]
    fn it_is_that_of_the_sorted_tree() {
        let deep = format!("{}{{\"b\":1, \"a\":2}}{}", "[".repeat(100), "]".repeat(100));
        for json in [
            r#"{"subject":"ann","usage":{"output_tokens":5,"input_tokens":10},"error":null}"#,
            r#" [ {"b" : [ true , false , { } , [ ] ] , "a" : "x y" } , "" , -0 , 12 ] "#,
            r#"{"b":"A\/\n\u00e9é😀\ud83d\ude00","a\u0062":1,"ab":2,"":3}"#,
            r#"{"a":1,"a":2,"b":{"x":1,"x":[1e5,1E5,1e+5,1.50,-1E-7,123456789012345678901234567890]}}"#,
            r#"{"f":{"e":{"d":{"c":{"b":{"z":1,"a":"\u0041"}}}}}, "a":[[[[[[{"y":1, "x":2}]]]]]]}"#,
            &deep,
        ] {
            let mut tree: Value = serde_json::from_str(json).unwrap();
            tree.sort_all_objects();
            assert_eq!(of(json), Fingerprint::of(tree.to_string().as_bytes()), "{json}");
        }
    }

    #[test]
    fn what_is_no_json_has_none() {
        let endless = "[".repeat(1 << 20);
        for json in ["", "{", "{\"a\"}", "[1,]", "1 2", &endless] {
            assert!(fingerprint(json.as_bytes()).is_err());
        }
        let too_deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        assert!(fingerprint(too_deep.as_bytes()).is_err());
    }
}
