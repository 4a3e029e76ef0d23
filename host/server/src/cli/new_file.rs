//! A file that is there only when it is whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file under a name of its own, in the folder that it is to be in: removed with this value
/// unless it was published.
pub struct NewFile {
    file: File,
    unfinished: PathBuf,
    path: PathBuf,
}

impl NewFile {
    pub fn create(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        let mut unfinished = name.to_owned();
        unfinished.push(format!(".{}.tmp", std::process::id()));
        let unfinished = path.with_file_name(unfinished);
        let file = File::create_new(&unfinished)?;
        Ok(Self { file, unfinished, path: path.to_owned() })
    }

    /// Gives the file its name, in place of one that had it. It is on disk then.
    pub fn publish(self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.unfinished, &self.path)?;
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        File::open(folder)?.sync_all()
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Once it is published there is nothing of that name.
        let _ = fs::remove_file(&self.unfinished);
    }
}
