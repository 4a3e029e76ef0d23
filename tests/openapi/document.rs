use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{description, document, operations, resolve};
use crate::support::shared;

/// Set it to take over what the program prints.
const RENEW: &str = "RENEW_OPENAPI";

#[test]
fn the_interface_changes_only_on_purpose() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/openapi/openapi.json");
    let printed = description();
    if std::env::var_os(RENEW).is_some() {
        fs::write(&path, &printed).unwrap();
    }
    let agreed = fs::read_to_string(&path).unwrap_or_default();
    let differs = agreed.lines().zip(printed.lines()).enumerate().find(|(_, (a, b))| a != b);
    assert!(
        agreed == printed,
        "`tollgate openapi` differs from tests/openapi/openapi.json, first at {differs:?}.\n\
         If that is meant, renew the file and read its changes:\n  \
         {RENEW}=1 cargo test --release --locked --test tests openapi::document"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_serves_what_the_program_prints() {
    let answer = shared().await.get("/openapi.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.text, description());
}

#[test]
fn it_is_openapi_3_1_and_all_that_it_refers_to_is_in_it() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    check_references(&document, &document);
}

fn check_references(document: &Value, value: &Value) {
    if value["$ref"].is_string() {
        resolve(document, value);
    }
    match value {
        Value::Object(members) => {
            members.values().for_each(|value| check_references(document, value));
        }
        Value::Array(values) => values.iter().for_each(|value| check_references(document, value)),
        _ => {}
    }
}

#[test]
fn every_operation_says_what_it_is_for_under_a_name_of_its_own() {
    let document = document();
    let groups: BTreeSet<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str()).collect();
    let mut names = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let place = format!("{method} {path}");
        assert!(operation["summary"].is_string(), "{place}");
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{place}");
        assert!(groups.contains(&operation["tags"][0].as_str()), "{place}");
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')) {
            let parameters = operation["parameters"].as_array().unwrap().iter();
            let named = |parameter: &Value| {
                let parameter = resolve(&document, parameter);
                parameter["in"] == "path" && parameter["name"] == name.trim_end_matches('}')
            };
            assert!(parameters.clone().any(named), "{place} does not tell of {name}");
        }
    }
}

#[test]
fn every_operation_that_decides_tells_its_errors_in_its_familys_form() {
    let document = document();
    for (path, method, operation) in operations(&document) {
        let responses = operation["responses"].as_object().unwrap();
        let media_type = match path {
            path if path.starts_with("/api/subscription") => "application/json",
            path if path.starts_with("/v1/") => "application/problem+json",
            _ => continue,
        };
        let place = format!("{method} {path}");
        for status in ["400", "500", "503"] {
            assert!(responses.contains_key(status), "{place} has no {status}");
        }
        if operation.contains_key("requestBody") {
            assert!(responses.contains_key("413") && responses.contains_key("415"), "{place}");
        }
        for (status, response) in responses {
            let response = resolve(&document, response);
            assert!(response["headers"]["X-Request-Id"].is_object(), "{place} {status}");
            if status.starts_with('2') {
                continue;
            }
            let examples = response["content"][media_type]["examples"].as_object().unwrap();
            assert!(!examples.is_empty(), "{place} {status}");
        }
    }
}

#[test]
fn unknown_fields_are_refused_by_the_description_too() {
    let document = document();
    for schema in
        ["CallToCheck", "CallToMake", "Use", "Settle", "CorrectionToMake", "PriceQuestion"]
    {
        let schema = &document["components"]["schemas"][schema];
        assert_eq!(schema["additionalProperties"], false, "{schema}");
    }
}

#[test]
fn money_is_text_for_apps_and_a_number_for_dashboards() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let cost = &schemas["Receipt"]["properties"]["cost"]["oneOf"][0]["$ref"];
    assert_eq!(cost, "#/components/schemas/Usd");
    assert_eq!(schemas["Usd"]["type"], "string");
    let cost = &schemas["UsageStatistics"]["properties"]["total_cost"]["$ref"];
    assert_eq!(cost, "#/components/schemas/Dollars");
    assert_eq!(schemas["Dollars"]["type"], "number");
}
