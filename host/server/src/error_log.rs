//! The error log: what went wrong, in a file of its own that an operator can read without the rest.
//! It tells which requests failed and how, and never what was in them: no headers, no bodies, no
//! parameters, and nothing that a policy wrote.
//!
//! The file keeps its name; what was written before is moved aside when it is full, and the oldest
//! goes. (The libraries that do this panic, or lose lines without a word, where a folder cannot be
//! written to.)

use std::fmt;
use std::fs::{File, OpenOptions, create_dir_all, rename};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::layer;
use tracing_subscriber::registry::LookupSpan;

/// Where requests are told that were answered with an error.
pub const TARGET: &str = "tollgate::errors";

/// Where alerts are told whose subject is told of them in the log; they are no errors.
const ALERTS: &str = "tollgate::alerts";

/// Where policies write to, who may say anything.
const POLICIES: &str = "tollgate::policy";

const FILE: &str = "logs/subscription_errors.log";
const OFF: &str = "off";

/// Of one file, before it is moved aside.
const BYTES_MAX: u64 = 10 << 20;

/// Files that were moved aside and are kept.
const OLD_FILES: u32 = 5;

/// Where errors are written, if anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorLogPath(pub Option<PathBuf>);

impl Default for ErrorLogPath {
    /// A file beside the data; in a container, whose files nobody looks at, none.
    fn default() -> Self {
        Self((!in_container()).then(|| FILE.into()))
    }
}

impl FromStr for ErrorLogPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Err("must be a file, or `off`"),
            OFF => Ok(Self(None)),
            path => Ok(Self(Some(path.into()))),
        }
    }
}

impl fmt::Display for ErrorLogPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(path) => path.display().fmt(f),
            None => f.write_str(OFF),
        }
    }
}

/// What container engines leave for programs to find.
fn in_container() -> bool {
    let marked =
        ["/.dockerenv", "/run/.containerenv"].into_iter().any(|mark| Path::new(mark).exists());
    marked || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// What writes to a file all that belongs there.
pub fn errors<S>(path: &Path) -> io::Result<impl Layer<S> + use<S>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let file = Rotating::open(path.to_owned(), BYTES_MAX)?;
    let wanted = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target(TARGET, LevelFilter::DEBUG)
        .with_target(ALERTS, LevelFilter::OFF)
        .with_target(POLICIES, LevelFilter::OFF);
    Ok(layer().with_ansi(false).with_writer(Mutex::new(file)).with_filter(wanted))
}

/// A file that is moved aside when it is full.
struct Rotating {
    path: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl Rotating {
    fn open(path: PathBuf, bytes_max: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            create_dir_all(folder)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path, file, bytes, bytes_max })
    }

    /// Its name once it was moved aside so many times.
    fn aside(&self, times: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{times}"));
        name.into()
    }

    fn rotate(&mut self) -> io::Result<()> {
        for times in (1..OLD_FILES).rev() {
            // There need not be that many.
            let _ = rename(self.aside(times), self.aside(times + 1));
        }
        rename(&self.path, self.aside(1))?;
        *self = Self::open(self.path.clone(), self.bytes_max)?;
        Ok(())
    }
}

impl Write for Rotating {
    /// A line is written in one go, and is never cut.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let bytes = line.len() as u64;
        if self.bytes > 0
            && self.bytes + bytes > self.bytes_max
            && let Err(error) = self.rotate()
        {
            // Better a file that is too long than errors that nobody hears of.
            eprintln!("tollgate: cannot move {} aside: {error}", self.path.display());
            self.bytes = 0;
        }
        self.file.write_all(line)?;
        self.bytes += bytes;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{read_dir, read_to_string};

    use super::*;

    #[test]
    fn the_file_keeps_its_name_and_the_oldest_lines_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/errors.log");
        let mut log = Rotating::open(path.clone(), 20).unwrap();
        for line in 0..30 {
            log.write_all(format!("line {line:04}\n").as_bytes()).unwrap();
        }
        let text = |name: &str| read_to_string(folder.path().join("logs").join(name)).unwrap();
        assert_eq!(text("errors.log"), "line 0028\nline 0029\n");
        assert_eq!(text("errors.log.1"), "line 0026\nline 0027\n");
        assert_eq!(text("errors.log.5"), "line 0018\nline 0019\n");
        assert_eq!(read_dir(path.parent().unwrap()).unwrap().count(), 6);
    }

    #[test]
    fn it_goes_on_where_it_ended_and_lines_are_never_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("errors.log");
        for _ in 0..2 {
            let mut log = Rotating::open(path.clone(), 20).unwrap();
            log.write_all(b"a line that is much too long\n").unwrap();
        }
        let first = read_to_string(folder.path().join("errors.log.1")).unwrap();
        assert_eq!(first, "a line that is much too long\n");
        assert_eq!(read_to_string(path).unwrap(), first);
    }

    #[test]
    fn a_path_is_a_file_or_off() {
        assert_eq!("off".parse(), Ok(ErrorLogPath(None)));
        assert_eq!("a/b.log".parse::<ErrorLogPath>().unwrap().to_string(), "a/b.log");
        assert!("".parse::<ErrorLogPath>().is_err());
    }
}
