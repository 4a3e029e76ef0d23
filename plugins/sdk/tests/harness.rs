//! The harness configures a policy as the host does.

use serde::Deserialize;
use tollgate_plugin::{Decimal, Description, JsonSchema, Policy, Problem, testing};

/// How much is given.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[schemars(crate = "tollgate_plugin::schemars")]
#[serde(deny_unknown_fields)]
struct Gift {
    /// In USD.
    amount: Decimal,
    #[serde(default)]
    to: Vec<String>,
}

impl Policy for Gift {
    type Config = Self;

    fn describe() -> Description {
        Description::new("gift", "1.0.0").config::<Self>()
    }

    fn new(config: Self) -> Result<Self, Vec<Problem>> {
        Ok(config)
    }
}

#[test]
fn a_configuration_is_read_from_toml_alone_or_from_its_manifest() {
    let gift = Gift { amount: "0.30".parse().expect("a decimal"), to: vec!["ann".into()] };
    let text = "amount = 0.30\nto = ['ann']";
    assert_eq!(testing::configure(text).as_ref(), Ok(&gift));
    let manifest = format!("kind = 'tier'\nplugin = 'gift.wasm'\n[config]\n{text}");
    assert_eq!(testing::configure_as_in(&manifest), Ok(gift));
}

#[test]
fn problems_name_the_path() {
    let problem = "/to/1: invalid type: integer `7`, expected a string";
    assert_eq!(testing::problems::<Gift>("amount = 1\nto = ['ann', 7]"), [problem]);
    assert_eq!(testing::problems::<Gift>("amount = 1"), [""; 0]);
}

#[test]
fn the_schema_is_that_of_the_type() {
    let schema = Gift::describe().config_schema.expect("a schema");
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
    assert_eq!(schema["description"], "How much is given.");
    assert_eq!(schema["properties"]["amount"]["description"], "In USD.");
    assert_eq!(schema["required"], serde_json::json!(["amount"]));
    assert_eq!(schema["additionalProperties"], false);
}
