//! A folder to run the service in, as an operator would lay it out.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

/// A temporary folder; nothing is stored in it yet.
pub struct Home {
    folder: TempDir,
    /// Whether its services are lent what others have compiled.
    pub shares_compiled: bool,
}

impl Home {
    pub fn new() -> Arc<Self> {
        let home = Self::without_policies();
        home.bring_policies();
        home
    }

    /// For a service that compiles everything itself.
    pub fn cold() -> Arc<Self> {
        let home = Self::empty(false);
        home.bring_policies();
        home
    }

    pub fn without_policies() -> Arc<Self> {
        Self::empty(true)
    }

    fn empty(shares_compiled: bool) -> Arc<Self> {
        let home = Self { folder: tempfile::tempdir().unwrap(), shares_compiled };
        fs::create_dir(home.policies()).unwrap();
        Arc::new(home)
    }

    /// Copies the shipped policies.
    pub fn bring_policies(&self) {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
        let built = |path: PathBuf| path.extension().is_some_and(|extension| extension == "wasm");
        assert!(
            fs::read_dir(&shipped).unwrap().any(|file| built(file.unwrap().path())),
            "policies/ has no plugins: run `make build` first"
        );
        copy(&shipped, &self.policies());
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The path of a file among the policies.
    pub fn policy(&self, file: &str) -> PathBuf {
        self.policies().join(file)
    }

    /// Replaces the one place in a policy's manifest that reads `old`.
    pub fn edit(&self, manifest: &str, old: &str, new: &str) {
        let path = self.policy(manifest);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(old).count(), 1, "{old:?} in {manifest}");
        fs::write(path, text.replace(old, new)).unwrap();
    }

    fn policies(&self) -> PathBuf {
        self.path().join("policies")
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
