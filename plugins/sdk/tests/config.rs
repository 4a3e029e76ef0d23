//! A configuration error names the value that is wrong.

use serde::Deserialize;
use tollgate_plugin::{Decimal, config};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only decoded")]
struct Plans {
    plans: Vec<Plan>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only decoded")]
struct Plan {
    price: Decimal,
}

#[track_caller]
fn check(json: &str, path: &str, message: &str) {
    let problem = config::decode::<Plans>(json).expect_err("a problem");
    assert_eq!(problem.path, path);
    assert!(problem.message.contains(message), "{}", problem.message);
    assert!(!problem.message.contains("line"), "{}", problem.message);
}

#[test]
fn a_wrong_value_is_named() {
    check(
        r#"{"plans":[{"price":"1"},{"price":"1,5"}]}"#,
        "/plans/1/price",
        "`1,5` is not a decimal",
    );
    check(r#"{"plans":[{"price":true}]}"#, "/plans/0/price", "expected a decimal number");
}

#[test]
fn a_typo_is_named() {
    check(r#"{"plans":[{"price":1,"prize":1}]}"#, "/plans/0/prize", "unknown field `prize`");
}

#[test]
fn a_missing_value_is_named() {
    check(r#"{"plans":[{}]}"#, "/plans/0", "missing field `price`");
}
