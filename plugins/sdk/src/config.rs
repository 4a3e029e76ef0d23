//! From the manifest's `[config]` table to a policy's own type.

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use crate::{Pointer, Problem};

/// Decodes a configuration; an error names the offending value.
///
/// The host does this for a policy before [`Policy::new`](crate::Policy::new); a test may want to
/// do it, too.
pub fn decode<T: DeserializeOwned>(json: &str) -> Result<T, Problem> {
    // Keeping track of where one is costs as much as reading: only an error needs it.
    if let Ok(config) = serde_json::from_str(json) {
        return Ok(config);
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let config = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        Problem::at(&pointer(error.path()), without_position(&error.inner().to_string()))
    })?;
    deserializer.end().map_err(|error| Problem::at(&Pointer::root(), error.to_string()))?;
    Ok(config)
}

fn pointer(path: &Path) -> Pointer {
    path.iter().fold(Pointer::root(), |at, segment| match segment {
        Segment::Seq { index } => at.to(index),
        Segment::Map { key } => at.to(key),
        Segment::Enum { variant } => at.to(variant),
        Segment::Unknown => at,
    })
}

/// The operator wrote TOML: a line and a column of the JSON made of it would mislead.
fn without_position(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(text, _)| text)
}
