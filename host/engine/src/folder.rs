//! The folder as it is now: which manifests there are, and the plugins that they name.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::manifest::{Manifest, Pattern};
use crate::refusal::{Refused, Step};

/// A manifest with a price list of thousands of models has one or two MiB.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;
const NAME_BYTES_MAX: usize = 64;

/// What stands under one name.
pub(crate) struct Source {
    pub name: String,
    pub files: Result<Files, Refused>,
}

/// A manifest that makes sense, and a plugin that is not too large.
pub(crate) struct Files {
    pub manifest: Manifest,
    pub plugin: Vec<u8>,
    pub plugin_digest: Digest,
}

/// Everything in the folder that is meant to be a policy, in the order of the names. Hidden files
/// are not: editors and orchestrators keep their own things there.
pub(crate) fn scan(folder: &Path) -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let (Some(name), Some("toml")) = (stem(&path), path.extension().and_then(|e| e.to_str()))
        else {
            continue;
        };
        if !name.starts_with('.') {
            let files = read(folder, &path, &name);
            sources.push(Source { name, files });
        }
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sources)
}

fn read(folder: &Path, path: &Path, name: &str) -> Result<Files, Refused> {
    let refused = |why: String| Refused::new(Step::Verified, why);
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.len() > NAME_BYTES_MAX || !name.bytes().all(allowed) {
        let why = "the name may have at most 64 letters, digits and any of . _ -";
        return Err(refused(why.into()));
    }
    let text = read_file(path, MANIFEST_BYTES_MAX).map_err(refused)?;
    let text = String::from_utf8(text).map_err(|_| refused(format!("{name}.toml is not UTF-8")))?;
    files(folder, name, text)
}

/// A manifest, and what it names in the folder.
pub(crate) fn files(folder: &Path, name: &str, text: String) -> Result<Files, Refused> {
    let refused = |why: String| Refused::new(Step::Verified, why);
    let mut manifest = Manifest::parse(name, text).map_err(|error| refused(error.to_string()))?;
    let included = included(folder, &manifest.include).map_err(refused)?;
    manifest.take_in(included).map_err(|error| refused(error.to_string()))?;
    let plugin = folder.join(&manifest.plugin);
    let plugin = read_file(&plugin, manifest.limits.component_bytes()).map_err(refused)?;
    let plugin_digest = Digest::of(&plugin);
    Ok(Files { manifest, plugin, plugin_digest })
}

/// The files that patterns name, with their content, in the order of their names.
fn included(folder: &Path, patterns: &[Pattern]) -> Result<Vec<(String, String)>, String> {
    let mut files = BTreeMap::new();
    for pattern in patterns {
        for path in pattern
            .files(folder)
            .map_err(|error| format!("cannot read the folder of {}: {error}", pattern.as_str()))?
        {
            let name = path.to_string_lossy().into_owned();
            let bytes = read_file(&folder.join(&path), MANIFEST_BYTES_MAX)?;
            let text = String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8"))?;
            files.insert(name, text);
        }
    }
    Ok(files.into_iter().collect())
}

fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, String> {
    let file = path.file_name().map(PathBuf::from).unwrap_or_default();
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|open| open.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("{} has more than {bytes_max} bytes", file.display()));
    }
    Ok(bytes)
}

fn stem(path: &Path) -> Option<String> {
    Some(path.file_stem()?.to_string_lossy().into_owned())
}
