//! `<name>.rejected.txt`: why a candidate is not active, where whoever edits it will see it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use crate::status::Rejection;

const SUFFIX: &str = ".rejected.txt";

/// Whether a file is one of these notes.
pub(crate) fn is_note(path: &Path) -> bool {
    path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.ends_with(SUFFIX))
}

/// Writes a note for each rejection and removes those of what was mended. A folder that cannot be
/// written has no notes; the log and the status say the same.
pub(crate) fn update(folder: &Path, rejected: &[Rejection]) {
    let mut notes: BTreeMap<&str, String> = BTreeMap::new();
    for Rejection { name, step, reason, .. } in rejected {
        let note = notes.entry(name).or_default();
        *note += &format!("{name} is not {step}:\n{reason}\n");
    }
    // Of the set as a whole; there is no file to stand beside.
    notes.remove("*");
    for (name, note) in &notes {
        let path = folder.join(format!("{name}{SUFFIX}"));
        // Only a note that says something new is written: writing wakes those who watch.
        if fs::read_to_string(&path).ok().as_ref() != Some(note) {
            report(fs::write(&path, note), &path);
        }
    }
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| is_note(path)) {
        let file = path.file_name().and_then(OsStr::to_str).and_then(|f| f.strip_suffix(SUFFIX));
        if file.is_some_and(|name| !notes.contains_key(name)) {
            report(fs::remove_file(&path), &path);
        }
    }
}

fn report(outcome: std::io::Result<()>, path: &Path) {
    if let Err(error) = outcome {
        tracing::debug!(path = %path.display(), %error, "the folder of policies takes no notes");
    }
}
