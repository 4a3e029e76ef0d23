//! A disk that forgets at a power cut whatever was not synced.
//!
//! The functions below stand in the way of those of the C library that std and sled call for
//! their files, so that they see every write to a folder that is attached. They note which of
//! them were synced, and by `fsync` and `fdatasync` alone: `sync_file_range`, which sled uses,
//! promises nothing after a power cut. The writes go to the real files as well, so that whoever
//! reads sees them; the syncs need not.
//!
//! What a cut leaves is what a disk may hold: of every sector the content as of the last sync or
//! as of any later write, each sector for itself; any of the lengths that a file had since; and of
//! a folder's entries, which a file system keeps in order, as many of the changes as it likes.

#![allow(
    unsafe_code,
    reason = "functions of the C library are defined and called; each is given what its caller gave"
)]

use std::collections::{BTreeMap, HashMap};
use std::ffi::CStr;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libc::{c_char, c_int, c_uint, c_void, off64_t, size_t, ssize_t};

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Stands for a folder among the numbers of files.
const FOLDER: usize = usize::MAX;

static DISK: Mutex<Option<Disk>> = Mutex::new(None);

/// What was done to the files of a folder.
struct Disk {
    folder: PathBuf,
    files: Vec<File>,
    /// Of open files.
    by_descriptor: HashMap<RawFd, usize>,
    names: Names,
    /// Writes and other changes yet to happen before the cut.
    until_cut: u64,
    cut: Option<Cut>,
}

/// The state at the moment of the cut.
pub struct Cut {
    files: Vec<File>,
    names: Names,
    /// What `at_cut` said.
    pub acknowledged: usize,
}

#[derive(Clone, Default)]
struct File {
    /// As of the last sync.
    synced: Vec<u8>,
    since: Vec<Change>,
    length: usize,
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

/// The entries of the folder and those below it, by their names in it.
#[derive(Clone, Default)]
struct Names {
    synced: BTreeMap<PathBuf, usize>,
    since: Vec<Entry>,
}

#[derive(Clone)]
enum Entry {
    Create(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Names {
    fn after(&self, changes: usize) -> BTreeMap<PathBuf, usize> {
        let mut names = self.synced.clone();
        for change in &self.since[..changes] {
            match change {
                Entry::Create(path, file) => {
                    names.insert(path.clone(), *file);
                }
                Entry::Rename(from, to) => {
                    if let Some(file) = names.remove(from) {
                        names.insert(to.clone(), file);
                    }
                }
                Entry::Remove(path) => {
                    names.remove(path);
                }
            }
        }
        names
    }

    fn now(&self) -> BTreeMap<PathBuf, usize> {
        self.after(self.since.len())
    }

    fn sync(&mut self) {
        self.synced = self.now();
        self.since.clear();
    }
}

impl File {
    fn change(&mut self, change: Change) {
        self.length = match &change {
            Change::Write { offset, bytes } => self.length.max(offset + bytes.len()),
            Change::Length(length) => *length,
        };
        self.since.push(change);
    }

    fn sync(&mut self) {
        for change in std::mem::take(&mut self.since) {
            match change {
                Change::Write { offset, bytes } => put(&mut self.synced, offset, &bytes),
                Change::Length(length) => self.synced.resize(length, 0),
            }
        }
    }

    /// What a cut leaves of it.
    fn after_cut(&self, random: &mut fastrand::Rng) -> Vec<u8> {
        let ends = self.since.len();
        // What the disk has got round to differs from cut to cut: nothing, all, or some.
        let kept: Vec<bool> = match random.u8(..4) {
            0 => vec![false; ends],
            1 => vec![true; ends],
            2 => {
                let first = random.usize(..=ends);
                (0..ends).map(|at| at >= first).collect()
            }
            _ => (0..ends).map(|_| random.bool()).collect(),
        };
        let torn = random.bool();
        // The latest change of each sector that is on the disk: it contains the earlier ones.
        let mut latest: HashMap<usize, usize> = HashMap::new();
        for (at, change) in self.since.iter().enumerate() {
            let Change::Write { offset, bytes } = change else { continue };
            for sector in sectors(*offset, bytes.len()) {
                if kept[at] && !(torn && random.u8(..4) == 0) {
                    latest.insert(sector, at);
                }
            }
        }
        let lengths = 1 + ends;
        let length_as_of = match random.u8(..3) {
            0 => 0,
            1 => ends,
            _ => random.usize(..lengths),
        };
        let mut content = self.synced.clone();
        let mut length = content.len();
        for (at, change) in self.since.iter().enumerate() {
            match change {
                Change::Write { offset, bytes } => {
                    for sector in sectors(*offset, bytes.len()) {
                        if latest.get(&sector).is_none_or(|latest| at > *latest) {
                            continue;
                        }
                        let from = (sector * SECTOR_BYTES).max(*offset);
                        let to = ((sector + 1) * SECTOR_BYTES).min(offset + bytes.len());
                        put(&mut content, from, &bytes[from - offset..to - offset]);
                    }
                    if at < length_as_of {
                        length = length.max(offset + bytes.len());
                    }
                }
                Change::Length(shorter) if at < length_as_of => {
                    content.truncate(*shorter);
                    length = *shorter;
                }
                Change::Length(_) => {}
            }
        }
        content.resize(length, 0);
        content
    }
}

fn sectors(offset: usize, bytes: usize) -> std::ops::Range<usize> {
    offset / SECTOR_BYTES..(offset + bytes).div_ceil(SECTOR_BYTES)
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

impl Cut {
    /// Writes into an empty folder what the cut may have left.
    pub fn leave(&self, folder: &Path, random: &mut fastrand::Rng) {
        let changes = self.names.since.len();
        let names = match random.u8(..3) {
            0 => 0,
            1 => changes,
            _ => random.usize(..=changes),
        };
        for (name, file) in self.names.after(names) {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, self.files[file].after_cut(random)).unwrap();
        }
    }

    /// How many bytes of the folder's files were not synced.
    pub fn unsynced_bytes(&self) -> usize {
        let changes = self.files.iter().flat_map(|file| &file.since);
        let bytes = |change: &Change| match change {
            Change::Write { bytes, .. } => bytes.len(),
            Change::Length(_) => 0,
        };
        changes.map(bytes).sum()
    }
}

/// Watches a folder, in which everything there is counts as synced. The power is cut after so many
/// changes.
pub fn attach(folder: &Path, until_cut: u64) {
    let mut files = Vec::new();
    let mut names = Names::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(each) = folders.pop() {
        for entry in std::fs::read_dir(each).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let synced = std::fs::read(&path).unwrap();
            let name = path.strip_prefix(folder).unwrap().to_owned();
            names.synced.insert(name, files.len());
            files.push(File { length: synced.len(), synced, since: vec![] });
        }
    }
    *disk() = Some(Disk {
        folder: folder.to_owned(),
        files,
        by_descriptor: HashMap::new(),
        names,
        until_cut,
        cut: None,
    });
}

/// The files in a folder, and how long each is.
pub fn listing(folder: &Path) -> Vec<(String, u64)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| (entry.file_name().display().to_string(), entry.metadata().unwrap().len()))
        .collect()
}

/// Whether the power was cut.
pub fn is_cut() -> bool {
    disk().as_ref().is_some_and(|disk| disk.cut.is_some())
}

/// Watches no more. The cut is now, if there was none.
pub fn detach() -> Cut {
    let mut disk = disk().take().unwrap();
    disk.cut();
    disk.cut.unwrap()
}

fn disk() -> MutexGuard<'static, Option<Disk>> {
    DISK.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    fn named(&self, path: *const c_char) -> Option<PathBuf> {
        // SAFETY: whoever opens, renames or removes a file gives a string that ends with a zero.
        let path = unsafe { CStr::from_ptr(path) }.to_str().ok()?;
        Some(Path::new(path).strip_prefix(&self.folder).ok()?.to_owned())
    }

    /// Called before each change.
    fn step(&mut self) {
        if self.until_cut == 0 {
            self.cut();
        }
        self.until_cut = self.until_cut.saturating_sub(1);
    }

    fn cut(&mut self) {
        if self.cut.is_none() {
            let acknowledged = crate::ACKNOWLEDGED.load(std::sync::atomic::Ordering::SeqCst);
            let (files, names) = (self.files.clone(), self.names.clone());
            self.cut = Some(Cut { files, names, acknowledged });
        }
    }

    fn opened(&mut self, descriptor: RawFd, name: PathBuf, flags: c_int) {
        let is_folder = self.folder.join(&name).is_dir();
        if is_folder {
            self.by_descriptor.insert(descriptor, FOLDER);
            return;
        }
        let file = match self.names.now().get(&name) {
            Some(file) => *file,
            None => {
                self.step();
                self.files.push(File::default());
                let file = self.files.len() - 1;
                self.names.since.push(Entry::Create(name, file));
                file
            }
        };
        if flags & libc::O_TRUNC != 0 && self.files[file].length > 0 {
            self.step();
            self.files[file].change(Change::Length(0));
        }
        self.by_descriptor.insert(descriptor, file);
    }

    fn change(&mut self, descriptor: RawFd, change: impl FnOnce() -> Change) {
        let file = self.by_descriptor.get(&descriptor).copied();
        if let Some(file) = file.filter(|file| *file != FOLDER) {
            self.step();
            self.files[file].change(change());
        }
    }

    /// Whether the file was one of the folder's.
    fn sync(&mut self, descriptor: RawFd) -> bool {
        let Some(file) = self.by_descriptor.get(&descriptor).copied() else { return false };
        self.step();
        match file {
            FOLDER => self.names.sync(),
            file => self.files[file].sync(),
        }
        true
    }
}

#[unsafe(no_mangle)]
extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    let mut disk = disk();
    // SAFETY: the caller's arguments. The mode is the one argument that may follow, in the place
    // where a call with any number of arguments has its third.
    let descriptor = unsafe {
        libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, flags | libc::O_LARGEFILE, mode)
    } as c_int;
    if descriptor >= 0
        && let Some(disk) = disk.as_mut()
        && let Some(name) = disk.named(path)
    {
        disk.opened(descriptor, name, flags);
    }
    descriptor
}

#[unsafe(no_mangle)]
extern "C" fn close(descriptor: c_int) -> c_int {
    let mut disk = disk();
    if let Some(disk) = disk.as_mut() {
        disk.by_descriptor.remove(&descriptor);
    }
    // SAFETY: the caller's argument.
    unsafe { libc::syscall(libc::SYS_close, descriptor) as c_int }
}

/// The bytes that were really written.
///
/// # Safety
/// As `write`.
unsafe fn written(buffer: *const c_void, count: ssize_t) -> Vec<u8> {
    // SAFETY: the kernel has just read so many bytes there.
    unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), count as usize) }.to_vec()
}

#[unsafe(no_mangle)]
extern "C" fn pwrite64(
    descriptor: c_int,
    buffer: *const c_void,
    count: size_t,
    offset: off64_t,
) -> ssize_t {
    let mut disk = disk();
    // SAFETY: the caller's arguments.
    let count =
        unsafe { libc::syscall(libc::SYS_pwrite64, descriptor, buffer, count, offset) as ssize_t };
    if count > 0
        && let Some(disk) = disk.as_mut()
    {
        disk.change(descriptor, || Change::Write {
            offset: offset as usize,
            // SAFETY: `count` bytes were written from there.
            bytes: unsafe { written(buffer, count) },
        });
    }
    count
}

#[unsafe(no_mangle)]
extern "C" fn write(descriptor: c_int, buffer: *const c_void, count: size_t) -> ssize_t {
    let mut disk = disk();
    let watched = |disk: &&mut Disk| disk.by_descriptor.contains_key(&descriptor);
    let watched = disk.as_mut().filter(watched);
    // SAFETY: the caller's arguments; to ask for the place in a file changes nothing.
    let (offset, count) = unsafe {
        let offset = match watched {
            Some(_) => libc::syscall(libc::SYS_lseek, descriptor, 0, libc::SEEK_CUR),
            None => 0,
        };
        (offset as usize, libc::syscall(libc::SYS_write, descriptor, buffer, count) as ssize_t)
    };
    if count > 0
        && let Some(disk) = watched
    {
        // SAFETY: `count` bytes were written from there.
        let bytes = unsafe { written(buffer, count) };
        disk.change(descriptor, || Change::Write { offset, bytes });
    }
    count
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate64(descriptor: c_int, length: off64_t) -> c_int {
    let mut disk = disk();
    // SAFETY: the caller's arguments.
    let outcome = unsafe { libc::syscall(libc::SYS_ftruncate, descriptor, length) as c_int };
    if outcome == 0
        && let Some(disk) = disk.as_mut()
    {
        disk.change(descriptor, || Change::Length(length as usize));
    }
    outcome
}

#[unsafe(no_mangle)]
extern "C" fn fsync(descriptor: c_int) -> c_int {
    sync(descriptor, libc::SYS_fsync)
}

#[unsafe(no_mangle)]
extern "C" fn fdatasync(descriptor: c_int) -> c_int {
    sync(descriptor, libc::SYS_fdatasync)
}

fn sync(descriptor: c_int, call: libc::c_long) -> c_int {
    match disk().as_mut().is_some_and(|disk| disk.sync(descriptor)) {
        true => 0,
        // SAFETY: the caller's argument.
        false => unsafe { libc::syscall(call, descriptor) as c_int },
    }
}

/// Nothing is safe from a power cut because of this.
#[unsafe(no_mangle)]
extern "C" fn sync_file_range(_: c_int, _: off64_t, _: off64_t, _: c_uint) -> c_int {
    0
}

#[unsafe(no_mangle)]
extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    let mut disk = disk();
    // SAFETY: the caller's arguments.
    let outcome = unsafe {
        let here = libc::AT_FDCWD;
        libc::syscall(libc::SYS_renameat2, here, from, here, to, 0) as c_int
    };
    if outcome == 0
        && let Some(disk) = disk.as_mut()
        && let (Some(from), Some(to)) = (disk.named(from), disk.named(to))
    {
        disk.step();
        disk.names.since.push(Entry::Rename(from, to));
    }
    outcome
}

#[unsafe(no_mangle)]
extern "C" fn unlink(path: *const c_char) -> c_int {
    let mut disk = disk();
    // SAFETY: the caller's argument.
    let outcome = unsafe { libc::syscall(libc::SYS_unlinkat, libc::AT_FDCWD, path, 0) as c_int };
    if outcome == 0
        && let Some(disk) = disk.as_mut()
        && let Some(name) = disk.named(path)
    {
        disk.step();
        disk.names.since.push(Entry::Remove(name));
    }
    outcome
}
