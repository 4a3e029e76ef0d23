//! A copy of `plugins/sdk` that stands by itself: nothing needs to be published or checked out.

use anyhow::Context;
use include_dir::{Dir, include_dir};
use toml::{Table, Value};

/// Where the copy goes: two steps beneath the contract, as in the repository.
pub const PLACE: &str = "vendor/tollgate-plugin";

static SOURCES: Dir = include_dir!("$CARGO_MANIFEST_DIR/../../plugins/sdk/src");
const MANIFEST: &str = include_str!("../../../../../../plugins/sdk/Cargo.toml");
const WORKSPACE: &str = include_str!("../../../../../../plugins/Cargo.toml");

/// The versions of all dependencies that this repository is tested with. Cargo drops what a new
/// crate does not need.
pub const LOCK: &str = include_str!("../../../../../../plugins/Cargo.lock");

/// Paths inside the folder of the plugin, with the content of the files.
pub fn files() -> anyhow::Result<Vec<(String, String)>> {
    let mut files = vec![(format!("{PLACE}/Cargo.toml"), manifest()?)];
    collect(&SOURCES, &mut files)?;
    Ok(files)
}

fn collect(folder: &Dir<'static>, files: &mut Vec<(String, String)>) -> anyhow::Result<()> {
    for file in folder.files() {
        let path = file.path().display();
        let text = file.contents_utf8().with_context(|| format!("the SDK's {path}"))?;
        files.push((format!("{PLACE}/src/{path}"), text.to_owned()));
    }
    folder.dirs().try_for_each(|folder| collect(folder, files))
}

/// The crate's manifest, with what it has from the workspace in its place.
fn manifest() -> anyhow::Result<String> {
    let mut manifest: Table = MANIFEST.parse()?;
    let workspace: Table = WORKSPACE.parse()?;
    let shared = workspace.get("workspace").context("a workspace")?;
    manifest.remove("dev-dependencies");
    manifest.remove("lints");
    for section in ["package", "dependencies"] {
        let inherited = shared.get(section).and_then(Value::as_table);
        let own = manifest.get_mut(section).and_then(Value::as_table_mut);
        for (key, value) in own.into_iter().flatten() {
            let from = inherited.and_then(|shared| shared.get(key));
            if let Some(resolved) = from.and_then(|shared| resolve(value, shared)) {
                *value = resolved;
            }
        }
    }
    Ok(manifest.to_string())
}

/// `{ workspace = true, … }` as what the workspace says, with what is said beside it.
fn resolve(own: &Value, shared: &Value) -> Option<Value> {
    let own = own.as_table().filter(|own| own.contains_key("workspace"))?;
    let rest = own.iter().filter(|(key, _)| *key != "workspace");
    let rest: Table = rest.map(|(key, value)| (key.clone(), value.clone())).collect();
    if rest.is_empty() {
        return Some(shared.clone());
    }
    let mut table = match shared {
        Value::Table(table) => table.clone(),
        version => Table::from_iter([("version".to_owned(), version.clone())]),
    };
    table.extend(rest);
    Some(Value::Table(table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_of_the_sdk_needs_no_workspace() {
        let manifest = manifest().unwrap();
        assert!(!manifest.contains("workspace"), "{manifest}");
        let manifest: Table = manifest.parse().unwrap();
        assert_eq!(manifest["package"]["edition"].as_str(), Some("2024"));
        assert_eq!(manifest["dependencies"]["toml"]["optional"].as_bool(), Some(true));
    }
}
