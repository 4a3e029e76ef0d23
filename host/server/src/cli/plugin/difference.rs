//! Where an answer is not the one that was expected.

use serde_json::Value;
use tollgate_domain::Amount;

/// One line for each place that differs, such as `refusal.reason: expected "a", was "b"`. What is
/// expected of a table is that it has these entries, of a list that it has these and no others.
pub fn differences(expected: &Value, answer: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", expected, answer, &mut found);
    found
}

fn compare(place: &str, expected: &Value, answer: &Value, found: &mut Vec<String>) {
    let differ = || {
        let place = if place.is_empty() { "answer" } else { place };
        format!("{place}: expected {expected}, was {answer}")
    };
    match (expected, answer) {
        (Value::Object(expected), Value::Object(answer)) => {
            for (key, value) in expected {
                let dot = if place.is_empty() { "" } else { "." };
                let place = format!("{place}{dot}{key}");
                match answer.get(key) {
                    Some(answer) => compare(&place, value, answer, found),
                    None => found.push(format!("{place}: expected {value}, was absent")),
                }
            }
        }
        (Value::Array(expected), Value::Array(answer)) => {
            for (i, (expected, answer)) in expected.iter().zip(answer).enumerate() {
                compare(&format!("{place}[{i}]"), expected, answer, found);
            }
            for (i, missing) in expected.iter().enumerate().skip(answer.len()) {
                found.push(format!("{place}[{i}]: expected {missing}, was absent"));
            }
            for (i, surplus) in answer.iter().enumerate().skip(expected.len()) {
                found.push(format!("{place}[{i}]: expected nothing, was {surplus}"));
            }
        }
        (expected, answer) if same(expected, answer) => {}
        _ => found.push(differ()),
    }
}

/// Numbers are compared by their value, however they are written: `200` is `"200.00"`.
fn same(expected: &Value, answer: &Value) -> bool {
    expected == answer || number(expected).is_some_and(|expected| number(answer) == Some(expected))
}

fn number(value: &Value) -> Option<Amount> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_str().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_expected_is_compared() {
        let answer = json!({ "allow": false, "refusal": { "reason": "closed", "level": 0 } });
        assert!(differences(&json!({ "refusal": { "reason": "closed" } }), &answer).is_empty());
        let expected = json!({ "allow": true, "refusal": { "reason": "open" }, "limits": [] });
        let found = [
            "allow: expected true, was false",
            "refusal.reason: expected \"open\", was \"closed\"",
            "limits: expected [], was absent",
        ];
        assert_eq!(differences(&expected, &answer), found);
    }

    #[test]
    fn a_list_has_what_is_expected_and_no_more() {
        let answer = json!({ "limits": [{ "limit": "200" }, { "limit": "7" }] });
        let one = json!({ "limits": [{ "limit": 200 }] });
        let surplus = r#"limits[1]: expected nothing, was {"limit":"7"}"#;
        assert_eq!(differences(&one, &answer), [surplus]);
        let three = json!({ "limits": [{ "limit": "200.0" }, { "limit": 8 }, {}] });
        let found =
            [r#"limits[1].limit: expected 8, was "7""#, "limits[2]: expected {}, was absent"];
        assert_eq!(differences(&three, &answer), found);
    }
}
