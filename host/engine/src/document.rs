//! Documents: what is laid over a policy's configuration at runtime, without touching its files.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Replaces, adds or takes away one entry of a list in a policy's configuration, for as long as it
/// is kept. There is one document at most for the same list and key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Whose configuration.
    pub policy: String,
    /// The list's name in it, such as `plans`.
    pub list: String,
    /// The members that tell the entry from the others, such as `{"id":"pro"}`. One that is empty
    /// means the same as none.
    pub key: Map<String, Value>,
    /// The entry, its key included; `None` takes away what the file has.
    pub entry: Option<Value>,
}

impl Document {
    /// Whether the two are about the same entry.
    pub fn replaces(&self, other: &Self) -> bool {
        (&self.policy, &self.list, &self.key) == (&other.policy, &other.list, &other.key)
    }
}

/// Lays documents over a configuration, one after the other; the error is a sentence.
pub(crate) fn lay(config: &str, documents: &[Document]) -> Result<String, String> {
    let mut config: Map<String, Value> =
        serde_json::from_str(config).map_err(|error| format!("the configuration: {error}"))?;
    for Document { list, key, entry, .. } in documents {
        let entries = config.entry(list.clone()).or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(entries) = entries else {
            return Err(format!("`{list}` is no list, so that nothing can be laid over it"));
        };
        let first = entries.iter().position(|found| is_about(found, key));
        let mut at = first.unwrap_or(entries.len());
        entries.retain(|found| !is_about(found, key));
        at = at.min(entries.len());
        if let Some(entry) = entry {
            entries.insert(at, entry.clone());
        }
    }
    Ok(Value::Object(config).to_string())
}

fn is_about(entry: &Value, key: &Map<String, Value>) -> bool {
    let empty = Value::String(String::new());
    key.iter().all(|(name, value)| entry.get(name).unwrap_or(&empty) == value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(key: Value, entry: Value) -> Document {
        let Value::Object(key) = key else { panic!("a key is an object") };
        let entry = Some(entry).filter(|entry| !entry.is_null());
        Document { policy: "p".into(), list: "l".into(), key, entry }
    }

    #[test]
    fn an_entry_is_replaced_in_its_place_added_at_the_end_or_taken_away() {
        let config = r#"{"n":0.10,"l":[{"id":"a","x":1},{"id":"b","x":2.50}]}"#;
        for (key, entry, laid) in [
            (
                json!({"id": "a"}),
                json!({"id": "a"}),
                r#"{"n":0.10,"l":[{"id":"a"},{"id":"b","x":2.50}]}"#,
            ),
            (
                json!({"id": "c"}),
                json!({"id": "c"}),
                r#"{"n":0.10,"l":[{"id":"a","x":1},{"id":"b","x":2.50},{"id":"c"}]}"#,
            ),
            (json!({"id": "a"}), json!(null), r#"{"n":0.10,"l":[{"id":"b","x":2.50}]}"#),
            (json!({"id": "z"}), json!(null), config),
        ] {
            assert_eq!(lay(config, &[document(key, entry)]).unwrap(), laid);
        }
        let added = lay("{}", &[document(json!({"id": "a"}), json!({"id": "a"}))]);
        assert_eq!(added.unwrap(), r#"{"l":[{"id":"a"}]}"#);
    }

    #[test]
    fn a_key_tells_by_all_its_members_and_an_empty_one_is_one_that_is_absent() {
        let config = r#"{"l":[{"p":"x","m":"1"},{"p":"x"}]}"#;
        let all = document(json!({"p": "x"}), json!({"p": "x", "m": "2"}));
        assert_eq!(lay(config, &[all]).unwrap(), r#"{"l":[{"p":"x","m":"2"}]}"#);
        let one = document(json!({"p": "x", "m": ""}), json!(null));
        assert_eq!(lay(config, &[one]).unwrap(), r#"{"l":[{"p":"x","m":"1"}]}"#);
    }

    #[test]
    fn what_is_no_list_is_left_alone() {
        let error = lay(r#"{"l":1}"#, &[document(json!({}), json!({}))]).unwrap_err();
        assert_eq!(error, "`l` is no list, so that nothing can be laid over it");
    }
}
