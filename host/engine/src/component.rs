//! From a core module to a component.

use wit_component::ComponentEncoder;

/// A module that is not a policy: not built from `wit/`, or not WebAssembly.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a component of this module: {0}")]
pub struct ComponentError(String);

/// Wraps what `cargo build --target wasm32-unknown-unknown` wrote into a component, and checks
/// the result.
pub fn component_from_module(module: &[u8]) -> Result<Vec<u8>, ComponentError> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| ComponentError(format!("{error:#}")))
}
