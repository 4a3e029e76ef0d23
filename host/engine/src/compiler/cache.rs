//! Machine code that was made before, in a folder that only the service can read and write.
//!
//! Each file begins with a keyed hash of what it is for and what it contains. Whoever could write
//! to the folder, but not read the key, or bring a file from elsewhere, gets nothing run by it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::compiler::trusted::MachineCode;
use crate::digest::Digest;

const KEY: &str = "key";
const KEY_BYTES: usize = 32;
const SUFFIX: &str = "code";

/// The files that are kept: the newest. A plugin has one for each engine that it was compiled for.
const FILES_MAX: usize = 200;

pub(super) struct Cache {
    folder: PathBuf,
    key: [u8; KEY_BYTES],
    engine: Digest,
}

impl Cache {
    /// Opens the folder, or makes it; `engine` is what code must have been made for.
    pub fn open(folder: &Path, engine: Digest) -> io::Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.and_then(|()| is_ours(folder, 0o700))?;
        Ok(Self { folder: folder.to_owned(), key: key(folder)?, engine })
    }

    /// The machine code of a component, if it was kept and is what it was.
    pub fn find(&self, component: Digest) -> Option<MachineCode> {
        let path = self.path(component);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "kept code is unreadable");
                return None;
            }
        };
        let (seal, code) = bytes.split_first_chunk::<{ blake3::OUT_LEN }>()?;
        // The comparison takes as long whatever differs.
        if self.seal(component, code) != *seal {
            tracing::warn!(path = %path.display(), "kept code is not what was kept: compiling anew");
            return None;
        }
        Some(MachineCode::vouched_for(code.to_vec()))
    }

    /// Keeps the machine code of a component, in one step.
    pub fn keep(&self, component: Digest, code: &MachineCode) -> io::Result<()> {
        let path = self.path(component);
        let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = private_file(&unfinished).and_then(|mut file| {
            file.write_all(self.seal(component, code.bytes()).as_bytes())?;
            file.write_all(code.bytes())?;
            fs::rename(&unfinished, &path)
        });
        if written.is_err() {
            // What could not be written may not be there either.
            let _ = fs::remove_file(&unfinished);
        }
        written.and_then(|()| self.prune())
    }

    fn path(&self, component: Digest) -> PathBuf {
        self.folder.join(format!("{component}-{}.{SUFFIX}", self.engine.short()))
    }

    fn seal(&self, component: Digest, code: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(component.as_bytes()).update(self.engine.as_bytes()).update(code);
        hasher.finalize()
    }

    /// Forgets the oldest files where there are too many.
    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|extension| extension == SUFFIX) {
                files.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        files.sort();
        let surplus = files.len().saturating_sub(FILES_MAX);
        files.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

/// The key in a folder. One that others can read, or that is damaged, is replaced: then nothing
/// that was kept is believed any more.
fn key(folder: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let path = folder.join(KEY);
    let found = fs::read(&path).and_then(|bytes| is_ours(&path, 0o600).map(|()| bytes));
    if let Ok(Ok(key)) = found.map(|bytes| bytes.try_into()) {
        return Ok(key);
    }
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::from)?;
    let unfinished = folder.join(format!("{KEY}.{}.tmp", std::process::id()));
    let mut file = private_file(&unfinished)?;
    file.write_all(&key)?;
    file.sync_all()?;
    fs::rename(unfinished, path)?;
    Ok(key)
}

/// Whether nobody but this user has access; a folder of ours that has become open is closed.
fn is_ours(path: &Path, mode: u32) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if found.is_symlink() || found.uid() != rustix::process::geteuid().as_raw() {
        let problem = format!("{} belongs to somebody else", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        if !found.is_dir() {
            let problem = format!("others could read {}", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
        }
    }
    Ok(())
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(folder: &Path) -> Cache {
        Cache::open(folder, Digest::of(b"engine")).unwrap()
    }

    fn found(cache: &Cache, component: &[u8]) -> Option<Vec<u8>> {
        cache.find(Digest::of(component)).map(|code| code.bytes().to_vec())
    }

    #[test]
    fn what_was_kept_is_found_again_by_the_same_engine_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("compiled");
        let code = MachineCode::vouched_for(b"code".into());
        cache(&folder).keep(Digest::of(b"a"), &code).unwrap();
        assert_eq!(found(&cache(&folder), b"a").unwrap(), b"code");
        assert_eq!(found(&cache(&folder), b"b"), None);
        let other = Cache::open(&folder, Digest::of(b"another engine")).unwrap();
        assert_eq!(found(&other, b"a"), None);
    }

    #[test]
    fn nobody_else_has_access() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("compiled");
        let code = MachineCode::vouched_for(b"code".into());
        cache(&folder).keep(Digest::of(b"a"), &code).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        for entry in fs::read_dir(&folder).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
    }

    #[test]
    fn whatever_was_changed_or_brought_from_elsewhere_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        let code = MachineCode::vouched_for(b"machine code".into());
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        cache.keep(a, &code).unwrap();
        let good = fs::read(cache.path(a)).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(cache.path(a), &bad).unwrap();
            assert!(cache.find(a).is_none(), "byte {at}");
        }
        for length in 0..good.len() {
            fs::write(cache.path(a), &good[..length]).unwrap();
            assert!(cache.find(a).is_none(), "{length} bytes");
        }
        fs::write(cache.path(b), &good).unwrap();
        assert!(cache.find(b).is_none(), "the code of another component");
        fs::write(cache.path(a), &good).unwrap();
        assert!(cache.find(a).is_some());
    }

    #[test]
    fn a_key_that_others_could_read_vouches_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let code = MachineCode::vouched_for(b"code".into());
        cache(folder.path()).keep(Digest::of(b"a"), &code).unwrap();
        let key = folder.path().join(KEY);
        let before = fs::read(&key).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(found(&cache(folder.path()), b"a"), None);
        assert_ne!(fs::read(&key).unwrap(), before);
        assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
    }
}
