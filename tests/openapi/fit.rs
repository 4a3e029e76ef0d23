//! Whether a value fits a schema, as far as the document's schemas go. Patterns and formats are left
//! to schemathesis; a keyword that is not known here fails, so that none is passed over unseen.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::resolve;

/// What says nothing of values, or is checked elsewhere.
const PASSED_OVER: [&str; 9] = [
    "description",
    "title",
    "example",
    "examples",
    "default",
    "pattern",
    "format",
    "propertyNames",
    "contentMediaType",
];

/// What is wrong with a value, and where.
pub fn misfits(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(document, schema, value, "", &mut found);
    found
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let members = match schema {
        Value::Bool(true) => return,
        Value::Object(members) => members,
        other => panic!("{other} is no schema"),
    };
    for (keyword, wanted) in members {
        let fits = match keyword.as_str() {
            "$ref" => {
                check(document, resolve(document, schema), value, at, found);
                true
            }
            "type" => match wanted {
                Value::Array(types) => types.iter().any(|one| is(value, one)),
                one => is(value, one),
            },
            "enum" => wanted.as_array().unwrap().contains(value),
            "const" => wanted == value,
            "oneOf" => {
                let fits = |one: &&Value| misfits(document, one, value).is_empty();
                wanted.as_array().unwrap().iter().filter(fits).count() == 1
            }
            "allOf" => {
                for part in wanted.as_array().unwrap() {
                    check(document, part, value, at, found);
                }
                true
            }
            "required" => {
                let names = wanted.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
                value.as_object().is_none_or(|own| names.clone().all(|name| own.contains_key(name)))
            }
            "properties" => {
                for (name, property) in wanted.as_object().unwrap() {
                    if let Some(member) = value.get(name) {
                        check(document, property, member, &format!("{at}/{name}"), found);
                    }
                }
                true
            }
            "additionalProperties" => {
                for (name, member) in others(members, value) {
                    match wanted {
                        Value::Bool(false) => found.push(format!("{at}/{name}: is not described")),
                        wanted => check(document, wanted, member, &format!("{at}/{name}"), found),
                    }
                }
                true
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(document, wanted, item, &format!("{at}/{index}"), found);
                }
                true
            }
            "minimum" => number(value).is_none_or(|own| own >= number(wanted).unwrap()),
            "maximum" => number(value).is_none_or(|own| own <= number(wanted).unwrap()),
            "minLength" | "maxLength" => {
                let length = value.as_str().map(|text| text.chars().count() as u64);
                let bound = wanted.as_u64().unwrap();
                length.is_none_or(
                    |own| if keyword == "minLength" { own >= bound } else { own <= bound },
                )
            }
            "minItems" | "maxItems" => {
                let length = value.as_array().map(|items| items.len() as u64);
                let bound = wanted.as_u64().unwrap();
                let fits = |own| if keyword == "minItems" { own >= bound } else { own <= bound };
                length.is_none_or(fits)
            }
            "maxProperties" => {
                value.as_object().is_none_or(|own| own.len() as u64 <= wanted.as_u64().unwrap())
            }
            other => {
                assert!(PASSED_OVER.contains(&other), "`{other}` is not known");
                true
            }
        };
        if !fits {
            found.push(format!("{at}: {value} does not fit {keyword} {wanted}"));
        }
    }
}

/// A number's own digits.
fn number(value: &Value) -> Option<Decimal> {
    value.as_number()?.as_str().parse().ok()
}

/// Members that `properties` does not name.
fn others<'a>(schema: &Map<String, Value>, value: &'a Value) -> Vec<(&'a String, &'a Value)> {
    let described =
        |name: &String| schema.get("properties").is_some_and(|all| all.get(name).is_some());
    let all = value.as_object().into_iter().flatten();
    all.filter(|(name, _)| !described(name)).collect()
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_number().is_some_and(|own| own.is_i64() || own.is_u64()),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("there is no type `{other}`"),
    }
}
