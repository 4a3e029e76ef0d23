/// The document itself: what it is compared with, and that it hangs together.
mod document;
/// Whether a value fits a schema.
mod fit;
/// `/docs`, which needs no other host.
mod page;
/// That there is what it tells of, and nothing else.
mod routes;
/// That what is really asked and answered fits it.
mod validity;

use serde_json::{Map, Value};

use crate::support::tollgate;

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// The description as the program prints it.
fn description() -> String {
    let output = tollgate().arg("openapi").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn document() -> Value {
    serde_json::from_str(&description()).unwrap()
}

/// The operations of a document: path, method, and what is said of it.
fn operations(document: &Value) -> Vec<(&str, &str, &Map<String, Value>)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(METHODS.contains(&method.as_str()), "{path} has `{method}`");
            operations.push((path.as_str(), method.as_str(), operation.as_object().unwrap()));
        }
    }
    operations
}

/// What a value is, or what it refers to.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        None => value,
        Some(reference) => {
            let pointer = reference.strip_prefix('#').unwrap();
            let found = document.pointer(pointer);
            found.unwrap_or_else(|| panic!("{reference} is missing"))
        }
    }
}
