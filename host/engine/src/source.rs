//! What a policy is made of, wherever its bytes come from: the folder, or the archive.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::document::Document;
use crate::manifest::{Manifest, Pattern};
use crate::refusal::{Refused, Step};

/// A manifest with a price list of thousands of models has one or two MiB.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;
const NAME_BYTES_MAX: usize = 64;

/// What stands under one name.
pub(crate) struct Source {
    pub name: String,
    /// Of all bytes that were read for it: as long as it is the same, nothing has changed.
    pub fingerprint: Digest,
    pub parts: Vec<Part>,
    pub files: Result<Files, Refused>,
}

/// A manifest that makes sense, and a plugin that is not too large.
pub(crate) struct Files {
    pub manifest: Manifest,
    pub plugin: Arc<[u8]>,
    pub plugin_digest: Digest,
}

/// A file that belongs to a policy.
#[derive(Clone)]
pub(crate) struct Part {
    pub id: PartId,
    pub bytes: Arc<[u8]>,
}

/// A file, by its path in the folder and its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartId {
    pub path: String,
    pub digest: Digest,
}

/// What a policy was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MadeOf {
    pub parts: Vec<PartId>,
    pub documents: Vec<Document>,
}

/// Where files come from, by their paths in the folder of policies. Errors are sentences.
pub(crate) trait Origin {
    /// Reads a file of at most so many bytes.
    fn fetch(&self, path: &Path, bytes_max: u64) -> Result<Arc<[u8]>, String>;

    /// The names of what lies in a folder; none where it is not there.
    fn names(&self, folder: &Path) -> Result<Vec<String>, String>;
}

/// Reads a file of at most so many bytes, and keeps it as a part.
type Fetch<'a> = &'a mut dyn FnMut(&Path, u64) -> Result<Arc<[u8]>, String>;

/// Reads everything that belongs to the policy `name`, and lays its documents over it.
pub(crate) fn read(name: &str, documents: &[Document], origin: &impl Origin) -> Source {
    let mut parts = Vec::new();
    let mut unread = None;
    let mut keep = |path: &Path, bytes_max: u64| {
        let bytes = origin.fetch(path, bytes_max).inspect_err(|why| unread = Some(why.clone()))?;
        let path = path.to_string_lossy().into_owned();
        let id = PartId { path, digest: Digest::of(&bytes) };
        parts.push(Part { id, bytes: bytes.clone() });
        Ok(bytes)
    };
    let files = read_files(name, documents, origin, &mut keep)
        .map_err(|why: String| Refused::new(Step::Verified, why));
    let mut ids: Vec<_> = parts.iter().map(|part| part.id.clone()).collect();
    let files = files.map(|mut files| {
        files.manifest.made_of.parts = ids.clone();
        files
    });
    // A file that appears is a change as well.
    ids.extend(unread.map(|why| PartId { digest: Digest::of(why.as_bytes()), path: why }));
    Source { name: name.to_owned(), fingerprint: fingerprint(&ids), parts, files }
}

fn read_files(
    name: &str,
    documents: &[Document],
    origin: &impl Origin,
    fetch: Fetch,
) -> Result<Files, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.len() > NAME_BYTES_MAX || !name.bytes().all(allowed) {
        return Err("the name may have at most 64 letters, digits and any of . _ -".into());
    }
    let text = fetch(Path::new(&format!("{name}.toml")), MANIFEST_BYTES_MAX)?;
    let text = str::from_utf8(&text).map_err(|_| format!("{name}.toml is not UTF-8"))?;
    let manifest = Manifest::parse(name, text.to_owned()).map_err(|error| error.to_string())?;
    let own = documents.iter().filter(|document| document.policy == name).cloned().collect();
    let mut manifest = manifest.with_documents(own)?;
    let included = included(&manifest.include, origin, fetch)?;
    manifest.take_in(included).map_err(|error| error.to_string())?;
    let plugin = fetch(&manifest.plugin, manifest.limits.component_bytes())?;
    let plugin_digest = Digest::of(&plugin);
    Ok(Files { manifest, plugin, plugin_digest })
}

/// The files that patterns name, with their content, in the order of their names.
fn included(
    patterns: &[Pattern],
    origin: &impl Origin,
    fetch: Fetch,
) -> Result<Vec<(String, String)>, String> {
    let mut paths = BTreeSet::new();
    for pattern in patterns {
        paths.extend(pattern.among(origin.names(pattern.folder())?));
    }
    let text = |path: PathBuf| {
        let bytes = fetch(&path, MANIFEST_BYTES_MAX)?;
        let name = path.to_string_lossy().into_owned();
        match str::from_utf8(&bytes) {
            Ok(text) => Ok((name, text.to_owned())),
            Err(_) => Err(format!("{name} is not UTF-8")),
        }
    };
    paths.into_iter().map(text).collect()
}

pub(crate) fn fingerprint(parts: &[PartId]) -> Digest {
    let mut text = Vec::new();
    for PartId { path, digest } in parts {
        // Paths cannot contain a zero byte, and digests have one length.
        text.extend_from_slice(path.as_bytes());
        text.push(0);
        text.extend_from_slice(digest.as_bytes());
    }
    Digest::of(&text)
}
