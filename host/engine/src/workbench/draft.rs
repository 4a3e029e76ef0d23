//! What a candidate is made of, before it lies in any folder of policies.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::folder::Folder;
use crate::source::{self, Origin, Source};

/// A policy as its author has it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What the policy is called.
    pub name: String,
    /// The text of the manifest.
    pub manifest: String,
    /// The component, whatever the manifest calls it.
    pub plugin: Arc<[u8]>,
    /// Where the files lie that the manifest includes.
    pub folder: PathBuf,
}

impl Draft {
    pub(super) fn source(&self) -> Source {
        source::read(&self.name, &[], self)
    }
}

/// The folder that it is meant for.
impl Origin for Draft {
    fn fetch(&self, path: &Path, bytes_max: u64) -> Result<Arc<[u8]>, String> {
        let bytes: Arc<[u8]> = if path == Path::new(&format!("{}.toml", self.name)) {
            self.manifest.as_bytes().into()
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            return Folder(&self.folder).fetch(path, bytes_max);
        } else {
            self.plugin.clone()
        };
        match bytes.len() as u64 > bytes_max {
            true => Err(format!("{} has more than {bytes_max} bytes", path.display())),
            false => Ok(bytes),
        }
    }

    fn names(&self, folder: &Path) -> Result<Vec<String>, String> {
        Folder(&self.folder).names(folder)
    }
}
