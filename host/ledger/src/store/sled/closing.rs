//! How far the journal has come, for the seal, and how data are closed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::folder::{self, Found};
use super::quiet;
use super::rows;
use super::seal::{self, Seal, State};
use crate::store::{Forget, StoreError};

/// The seal says this much earlier what may be forgotten, so that it need not be written again
/// whenever time goes by.
const AHEAD: Duration = Duration::from_secs(3600);

/// Seals the data, and closes them once it is dropped, for which sled must have closed its file.
pub struct Closing {
    folder: PathBuf,
    last_block: AtomicU64,
    /// What the seal says; held while it is written.
    sealed: Mutex<Seal>,
    /// Whether there is nothing wrong with the data that a start should look for.
    sound: AtomicBool,
}

impl Closing {
    /// For data that were found so. Until it begins they are left as they are.
    pub fn new(folder: &Path, found: &Found) -> Self {
        Self {
            folder: folder.to_owned(),
            last_block: AtomicU64::new(found.seal.last_block),
            sealed: Mutex::new(found.seal.clone()),
            sound: AtomicBool::new(false),
        }
    }

    pub fn forgotten(&self) -> Forget {
        self.sealed.lock().forgotten
    }

    /// The last block that the seal tells of.
    pub fn sealed_block(&self) -> u64 {
        self.sealed.lock().last_block
    }

    /// Somebody will write to the data, which are whole up to this block.
    pub fn begin(&mut self, last_block: u64) -> Result<(), StoreError> {
        *self.last_block.get_mut() = last_block;
        *self.sound.get_mut() = true;
        let seal = self.sealed.get_mut();
        (seal.last_block, seal.state) = (last_block, State::Open);
        write(seal, &self.folder)
    }

    /// Somebody looks at the data; they are closed again unless there is a doubt.
    pub fn look(&mut self) {
        *self.sound.get_mut() = self.sealed.get_mut().state == State::Open;
    }

    /// So many blocks are on disk.
    pub fn reached(&self, last_block: u64) {
        self.last_block.store(last_block, Ordering::Relaxed);
    }

    /// Nobody knows what is on disk.
    pub fn fail(&self) {
        self.sound.store(false, Ordering::Relaxed);
    }

    /// Notes how far the journal has come, and what may be forgotten from now on.
    pub fn seal(&self, forget: &Forget) -> Result<(), StoreError> {
        let mut seal = self.sealed.lock();
        let last_block = self.last_block.load(Ordering::Relaxed);
        let forgotten = &mut seal.forgotten;
        let further = forget.reservations_before > forgotten.reservations_before
            || forget.keys_before > forgotten.keys_before;
        if further {
            forgotten.reservations_before = forget.reservations_before.plus(AHEAD);
            forgotten.keys_before = forget.keys_before.plus(AHEAD);
        }
        if last_block == seal.last_block && !further {
            return Ok(());
        }
        seal.last_block = last_block;
        write(&seal, &self.folder)
    }

    fn close(&mut self) -> Result<(), StoreError> {
        // Twice, since sled notes where its rows lie only when it opens its file.
        folder::await_close(&self.folder)?;
        rows::settle(&self.folder)?;
        let closed = folder::closed(&self.folder)?;
        let seal = self.sealed.get_mut();
        (seal.last_block, seal.state) = (*self.last_block.get_mut(), State::Closed(closed));
        write(seal, &self.folder)
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if *self.sound.get_mut()
            && let Err(error) = quiet::or_damaged(|| self.close())
        {
            // The next start looks at all of it.
            tracing::warn!(folder = %self.folder.display(), %error, "could not close the data");
        }
    }
}

/// Breaks the seal of data that are there, before sled opens them: it changes them at once, and
/// makes them look sound.
pub fn reopen(folder: &Path, found: &mut Found) -> Result<(), StoreError> {
    if !folder::has_data(folder) {
        return Ok(());
    }
    found.seal.state = match found.doubt {
        None => State::Open,
        Some(_) => State::Doubtful,
    };
    write(&found.seal, folder)?;
    // Not even a power cut may bring back what was said before.
    folder::sync_names(folder).map_err(|error| about(folder, &error))
}

fn write(seal: &Seal, folder: &Path) -> Result<(), StoreError> {
    seal.write(folder).map_err(|error| about(&seal::path(folder), &error))
}

fn about(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError(format!("{}: {error}", path.display()))
}
