//! Code that was compiled once for all tests. Compiling takes seconds, and there are many services.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::Home;

const PREFIX: &str = "compiled-";

/// Whoever copies holds this.
static COPYING: Mutex<()> = Mutex::new(());

/// Lends a home what was compiled before.
pub fn lend(home: &Home) {
    let of_home = home.path().join("data/compiled");
    if home.shares_compiled && shared().exists() && !of_home.exists() {
        let _copying = COPYING.lock();
        copy_missing(&shared(), &of_home);
    }
}

/// Keeps what a home's service has compiled, for others. They all have the same key.
pub fn keep(home: &Home) {
    let of_home = home.path().join("data/compiled");
    if home.shares_compiled && of_home.exists() {
        let _copying = COPYING.lock();
        let same_key = || fs::read(shared().join("key")).ok() == fs::read(of_home.join("key")).ok();
        if !shared().exists() {
            forget_runs_that_ended();
        }
        if !shared().exists() || same_key() {
            copy_missing(&of_home, &shared());
        }
    }
}

/// Of this run alone: no test depends on what was built before.
fn shared() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{PREFIX}{}", std::process::id()))
}

fn forget_runs_that_ended() {
    for entry in fs::read_dir(env!("CARGO_TARGET_TMPDIR")).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let ended = |run: &str| !Path::new("/proc").join(run).exists();
        if name.strip_prefix(PREFIX).is_some_and(ended) {
            // Another run may have done so already.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn copy_missing(from: &Path, to: &Path) {
    DirBuilder::new().recursive(true).mode(0o700).create(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        let unfinished = entry.path().extension().is_some_and(|extension| extension == "tmp");
        if !unfinished && !target.exists() {
            // Permissions are copied as well.
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
