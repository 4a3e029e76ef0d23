//! The folder around sled: what is made sure before sled opens it, and once it is closed.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tollgate_domain::Timestamp;

use super::log::{Log, snapshot_place};
use super::seal::{self, Closed, Seal, State};
use crate::store::{Forget, StoreError};

/// sled's own files.
pub const LOG: &str = "db";
const SETTINGS: &str = "conf";
const SNAPSHOT: &str = "snap.";
const UNFINISHED: &str = ".generating";

/// How long to wait for the lock: sled's own threads hold it a moment beyond their end.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// What is known of a folder before sled has opened it.
pub struct Found {
    pub seal: Seal,
    /// Why sled may lose something from it, if it may.
    pub doubt: Option<String>,
}

/// Whether there are data in a folder.
pub fn has_data(folder: &Path) -> bool {
    folder.join(LOG).exists()
}

/// Looks at a folder before sled does, creating it if there is none, and removes what would keep
/// sled from opening it after a crash.
///
/// # Errors
/// What sled would not notice, or too late: that data which were closed have changed.
pub fn prepare(folder: &Path) -> Result<Found, StoreError> {
    fs::create_dir_all(folder).map_err(|error| about(folder, error))?;
    let unsealed = Seal {
        last_block: 0,
        forgotten: Forget {
            reservations_before: Timestamp::EPOCH,
            keys_before: Timestamp::EPOCH,
            refusals_before: Timestamp::EPOCH,
        },
        state: State::Open,
    };
    let (path, log) = (seal::path(folder), folder.join(LOG));
    let seal = Seal::read(folder).map_err(|error| about(&path, error))?;
    match (has_data(folder), &seal) {
        (false, Some(_)) => return Err(about(&log, "the file is missing")),
        (false, None) => {
            tidy(folder).map_err(|error| about(folder, error))?;
            return Ok(Found { seal: unsealed, doubt: None });
        }
        (true, _) => {}
    }
    let _lock = locked(&log)?;
    let doubt = match &seal {
        None if Log::look_at(&log).map_err(|error| about(&log, error))?.is_strange() => {
            return Err(about(&log, "this is no file of tollgate's"));
        }
        None => Some(format!("{} is missing", path.display())),
        Some(Seal { state: State::Doubtful, .. }) => Some("the data were damaged before".into()),
        Some(Seal { state: State::Closed(closed), .. }) => {
            compare(folder, closed)?;
            None
        }
        Some(Seal { state: State::Open, .. }) => {
            let hole = first_hole(folder).map_err(|error| about(&log, error))?;
            hole.map(|at| format!("{} is unreadable from byte {at} on", log.display()))
        }
    };
    tidy(folder).map_err(|error| about(folder, error))?;
    Ok(Found { seal: seal.unwrap_or(unsealed), doubt })
}

/// Whether closed data are what they were.
fn compare(folder: &Path, closed: &Closed) -> Result<(), StoreError> {
    let (snapshot, log) = (folder.join(&closed.snapshot), folder.join(LOG));
    if !snapshot.exists() {
        return Err(about(&snapshot, "the file is missing"));
    }
    let offset = closed.tail.offset;
    let found = Log::look_at(&log).and_then(|log| log.tail_at(offset));
    match found.map_err(|error| about(&log, error))? == closed.tail {
        true => Ok(()),
        false => {
            Err(about(&log, format!("damaged, somewhere in the 512 KiB from byte {offset} on")))
        }
    }
}

fn first_hole(folder: &Path) -> io::Result<Option<u64>> {
    let snapshot = snapshot(folder)?.map_or(Ok(vec![]), fs::read)?;
    Log::look_at(&folder.join(LOG))?.first_hole(snapshot_place(&snapshot))
}

/// Waits a little for a process that is just ending, sled's threads in this one included. Whoever
/// has the file has the data to himself.
fn locked(log: &Path) -> Result<File, StoreError> {
    let file = File::open(log).map_err(|error| about(log, error))?;
    let patience = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if patience.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(LOCK_PATIENCE / 50);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError("another process is using it".into()));
            }
            Err(TryLockError::Error(error)) => return Err(about(log, error)),
        }
    }
}

fn about(path: &Path, problem: impl std::fmt::Display) -> StoreError {
    StoreError(format!("{}: {problem}", path.display()))
}

/// Removes what a crash may have left unfinished, and sled would stumble over.
fn tidy(folder: &Path) -> io::Result<()> {
    for name in names(folder)? {
        if name.starts_with(SNAPSHOT) && name.ends_with(UNFINISHED) {
            fs::remove_file(folder.join(name))?;
        }
    }
    // sled neither syncs its settings nor minds if they are damaged, and uses them all the same.
    // They are the same for all our data: it writes them anew where they are missing.
    let settings = folder.join(SETTINGS);
    match fs::read(&settings) {
        Ok(bytes) if !is_whole(&bytes) => fs::remove_file(settings),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether sled's settings end with their own checksum.
fn is_whole(settings: &[u8]) -> bool {
    settings.split_last_chunk().is_some_and(|(settings, checksum)| {
        !settings.is_empty() && crc32fast::hash(settings) == u32::from_le_bytes(*checksum)
    })
}

/// Makes sure that whatever sled has created is there after a power cut.
pub fn sync(folder: &Path) -> io::Result<()> {
    let sync = |path: &Path| File::open(path)?.sync_all();
    sync(&folder.join(SETTINGS))?;
    sync(&folder.join(LOG))?;
    sync_names(folder)?;
    // The folder may be new as well.
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    match sync_names(parent.unwrap_or(Path::new("."))) {
        // It may be somebody else's, who made the folder.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        outcome => outcome,
    }
}

/// Makes sure that files which were renamed have their new names after a power cut.
pub fn sync_names(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Waits until sled has closed its file: its own threads may have a hold on it for a moment.
pub fn await_close(folder: &Path) -> Result<(), StoreError> {
    locked(&folder.join(LOG)).map(drop)
}

/// What the folder looks like once sled has closed its file.
pub fn closed(folder: &Path) -> Result<Closed, StoreError> {
    let log = folder.join(LOG);
    let _lock = locked(&log)?;
    let snapshot = snapshot(folder).map_err(|error| about(folder, error))?;
    let snapshot = snapshot.as_deref().and_then(|path| path.file_name()?.to_str());
    let snapshot = snapshot.ok_or_else(|| about(folder, "there is no snapshot"))?.to_owned();
    let tail = Log::look_at(&log).and_then(|log| log.tail()).map_err(|error| about(&log, error))?;
    Ok(Closed { snapshot, tail })
}

/// sled's latest snapshot.
fn snapshot(folder: &Path) -> io::Result<Option<PathBuf>> {
    let is_snapshot = |name: &String| name.starts_with(SNAPSHOT) && !name.ends_with(UNFINISHED);
    let latest = names(folder)?.into_iter().filter(is_snapshot).max();
    Ok(latest.map(|name| folder.join(name)))
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    Ok(names)
}
