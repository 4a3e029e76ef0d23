//! A folder that takes its place in one step, when everything in it is on disk.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::RestoreError;

/// A folder beside the one that it is to become. It is removed with this value, unless it has
/// become that.
pub struct Staging {
    path: PathBuf,
    target: PathBuf,
}

impl Staging {
    /// Makes the folder; the one it is to become must be empty, or not there.
    pub fn beside(target: &Path) -> Result<Self, RestoreError> {
        match fs::read_dir(target).map(|mut entries| entries.next().is_some()) {
            Ok(true) => return Err(RestoreError::Occupied(target.to_owned())),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("cannot look into", target, error)),
        }
        let Some(name) = target.file_name() else {
            let error = io::Error::from(io::ErrorKind::InvalidInput);
            return Err(failed("cannot restore into", target, error));
        };
        let mut beside = OsString::from(name);
        beside.push(".restoring");
        let path = target.with_file_name(beside);
        match fs::create_dir(&path) {
            Ok(()) => Ok(Self { path, target: target.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(RestoreError::UnderWay(path))
            }
            Err(error) => Err(failed("cannot create", &path, error)),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the folder take its place, on disk.
    pub fn publish(self) -> Result<(), RestoreError> {
        sync_all(&self.path).map_err(|error| failed("cannot sync", &self.path, error))?;
        fs::rename(&self.path, &self.target)
            .map_err(|error| failed("cannot put the data into", &self.target, error))?;
        let parent = match self.target.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        sync(parent).map_err(|error| failed("cannot sync", parent, error))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!(%error, folder = %self.path.display(), "cannot be removed");
        }
    }
}

/// Syncs all that is in a folder, and then the folder.
fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => sync_all(&entry.path())?,
            false => sync(&entry.path())?,
        }
    }
    sync(folder)
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn failed(doing: &'static str, path: &Path, error: io::Error) -> RestoreError {
    RestoreError::Folder { doing, path: path.to_owned(), error }
}
