//! The folder as it is now: which manifests there are, and the plugins that they name.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::digest::Digest;
use crate::document::Document;
use crate::limits::Limits;
use crate::plugin;
use crate::source::{self, Origin, Source};
use crate::status::SparePlugin;

/// Everything in the folder that is meant to be a policy, in the order of the names, with the
/// documents laid over it. Hidden files are not: editors and orchestrators keep their own things
/// there.
pub(crate) fn scan(folder: &Path, documents: &[Document]) -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let (Some(name), Some("toml")) = (stem(&path), path.extension().and_then(|e| e.to_str()))
        else {
            continue;
        };
        if !name.starts_with('.') {
            sources.push(source::read(&name, documents, &Folder(folder)));
        }
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sources)
}

/// What stands under a name if its manifest is another.
pub(crate) fn with_manifest(
    folder: &Path,
    documents: &[Document],
    name: &str,
    text: &str,
) -> Source {
    source::read(name, documents, &Instead { folder: Folder(folder), name, text })
}

/// The folder of policies.
pub(crate) struct Folder<'a>(pub &'a Path);

/// The folder with another manifest under a name.
struct Instead<'a> {
    folder: Folder<'a>,
    name: &'a str,
    text: &'a str,
}

impl Origin for Instead<'_> {
    fn fetch(&self, path: &Path, bytes_max: u64) -> Result<Arc<[u8]>, String> {
        match path == Path::new(&format!("{}.toml", self.name)) {
            true => Ok(self.text.as_bytes().into()),
            false => self.folder.fetch(path, bytes_max),
        }
    }

    fn names(&self, folder: &Path) -> Result<Vec<String>, String> {
        self.folder.names(folder)
    }
}

impl Origin for Folder<'_> {
    fn fetch(&self, path: &Path, bytes_max: u64) -> Result<Arc<[u8]>, String> {
        read_file(&self.0.join(path), bytes_max)
    }

    fn names(&self, folder: &Path) -> Result<Vec<String>, String> {
        let unreadable = |error| format!("cannot read the folder {}: {error}", folder.display());
        let entries = match fs::read_dir(self.0.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect::<io::Result<_>>().map_err(unreadable)
    }
}

/// Plugins that no manifest of these names, with what they are: those that were looked at before,
/// by their bytes, are not looked at again.
pub(crate) fn spare(
    folder: &Path,
    sources: &[Source],
    before: &[SparePlugin],
) -> io::Result<Vec<SparePlugin>> {
    let named: Vec<_> =
        sources.iter().flat_map(|source| &source.parts).map(|part| &part.id.path).collect();
    let mut spare = Vec::new();
    for entry in fs::read_dir(folder)? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        if !file.ends_with(".wasm") || file.starts_with('.') || named.contains(&&file) {
            continue;
        }
        // What cannot be read may be gone again.
        let limit = Limits::default().component_bytes();
        let Ok(bytes) = read_file(&folder.join(&file), limit) else { continue };
        let plugin_digest = Digest::of(&bytes).to_string();
        let same = |old: &&SparePlugin| old.file == file && old.plugin_digest == plugin_digest;
        spare.push(match before.iter().find(same) {
            Some(old) => old.clone(),
            None => inspected(file, plugin_digest, &bytes),
        });
    }
    spare.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(spare)
}

fn inspected(file: String, plugin_digest: String, bytes: &[u8]) -> SparePlugin {
    let (found, problem) = match plugin::inspect(bytes) {
        Ok(found) => (Some(found), None),
        Err(problem) => (None, Some(problem)),
    };
    let (kind, api_version) = found.unzip();
    SparePlugin { file, plugin_digest, kind, api_version, problem }
}

fn read_file(path: &Path, bytes_max: u64) -> Result<Arc<[u8]>, String> {
    let file = path.file_name().map(PathBuf::from).unwrap_or_default();
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|open| open.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("{} has more than {bytes_max} bytes", file.display()));
    }
    Ok(bytes.into())
}

fn stem(path: &Path) -> Option<String> {
    Some(path.file_stem()?.to_string_lossy().into_owned())
}
