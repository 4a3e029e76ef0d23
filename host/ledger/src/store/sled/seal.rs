//! A small file beside sled's, which knows how far the journal was written.
//!
//! Whatever sled loses at its end, it loses without a word: the seal names a block that must be
//! there. It is written anew behind the commits, so that no commit waits for it. And it says
//! whether the data were closed: then nothing is torn, and the end of sled's file must be what it
//! was.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use tollgate_domain::Timestamp;

use super::log::{Tail, hex};
use crate::store::Forget;

/// Its name, in the folder.
const FILE: &str = "seal";

/// The first line: how the rest is to be read.
const FORMAT: &str = "tollgate 2";

#[derive(Clone, Debug)]
pub struct Seal {
    /// The last block that was on disk.
    pub last_block: u64,
    /// What may have been forgotten.
    pub forgotten: Forget,
    pub state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Somebody writes to the data, or ended without closing them.
    Open,
    /// Nobody has written since.
    Closed(Closed),
    /// sled has opened data that it may have lost something from, and nobody has added them up
    /// since.
    Doubtful,
}

/// What closed data look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The name of sled's snapshot.
    pub snapshot: String,
    pub tail: Tail,
}

impl Seal {
    /// The seal in a folder; `None` if there is none.
    pub fn read(folder: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read(folder.join(FILE)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let text = str::from_utf8(&text).unwrap_or_default();
        let seal = Self::parse(text).ok_or(match text.lines().next() {
            Some(FORMAT) | None => "the file is damaged",
            Some(_) => "the data are of another version of tollgate, or the file is damaged",
        });
        seal.map(Some).map_err(|problem| io::Error::new(ErrorKind::InvalidData, problem))
    }

    /// Replaces the seal in a folder, in one step.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let unfinished = folder.join("seal.tmp");
        let mut file = File::create(&unfinished)?;
        file.write_all(self.text().as_bytes())?;
        file.sync_data()?;
        fs::rename(unfinished, path(folder))
    }

    fn text(&self) -> String {
        let state = match &self.state {
            State::Open => "open".to_owned(),
            State::Closed(Closed { snapshot, tail: Tail { offset, checksum } }) => {
                format!("closed {snapshot} {offset} {checksum}")
            }
            State::Doubtful => "doubtful".to_owned(),
        };
        // Refusals tell by their numbers whether any were forgotten.
        let Forget { reservations_before, keys_before, refusals_before: _ } = &self.forgotten;
        let (reservations, keys) = (reservations_before.micros(), keys_before.micros());
        let forgotten = format!("forgotten {reservations} {keys}");
        let text = format!("{FORMAT}\nblock {}\n{forgotten}\n{state}\n", self.last_block);
        format!("{text}{}\n", hex(&Sha256::digest(&text)))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let format = lines.next()?;
        let last_block = lines.next()?.strip_prefix("block ")?.parse().ok()?;
        let mut times = lines.next()?.strip_prefix("forgotten ")?.split(' ');
        let mut time = || Some(Timestamp::from_micros(times.next()?.parse().ok()?));
        let forgotten = Forget {
            reservations_before: time()?,
            keys_before: time()?,
            refusals_before: Timestamp::EPOCH,
        };
        let state = match lines.next()? {
            "open" => State::Open,
            "doubtful" => State::Doubtful,
            closed => {
                let mut words = closed.strip_prefix("closed ")?.split(' ');
                let snapshot = words.next()?.to_owned();
                let offset = words.next()?.parse().ok()?;
                let tail = Tail { offset, checksum: words.next()?.to_owned() };
                State::Closed(Closed { snapshot, tail })
            }
        };
        let seal = Self { last_block, forgotten, state };
        // Every byte counts, those of the checksum included.
        (format == FORMAT && seal.text() == text).then_some(seal)
    }
}

pub fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_what_was_written_or_damaged() {
        let tail = Tail { offset: 512, checksum: "00ff".into() };
        let closed = State::Closed(Closed { snapshot: "snap.07".into(), tail });
        for state in [State::Open, closed, State::Doubtful] {
            let time = Timestamp::from_micros(-1);
            let (keys_before, refusals_before) = (Timestamp::EPOCH, Timestamp::EPOCH);
            let forgotten = Forget { reservations_before: time, keys_before, refusals_before };
            let text = Seal { last_block: 7, forgotten, state: state.clone() }.text();
            let read = Seal::parse(&text).map(|seal| (seal.text(), seal.state));
            assert_eq!(read, Some((text.clone(), state)));
            for at in 0..text.len() {
                let mut damaged = text.clone().into_bytes();
                damaged[at] ^= 1;
                assert!(Seal::parse(str::from_utf8(&damaged).unwrap_or("")).is_none());
            }
        }
    }
}
