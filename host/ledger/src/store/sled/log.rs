//! What sled's file looks like from outside, before sled opens it.
//!
//! After a start, sled reads its log from its last snapshot on. What it cannot read there it takes
//! for what a crash has torn, and passes over or cuts off, for ever and without a word: right at
//! the end of the log, where nothing was acknowledged, and wrong where a byte has changed. So this
//! looks first, and changes nothing.
//!
//! The file is a row of segments of 512 KiB, in any order. A segment begins with a checksum (4
//! bytes), its place in the log and how far the log was written then (8 bytes each); messages
//! follow, each with a checksum (4 bytes), its kind (1 byte), and its length, its segment's number
//! and its page as numbers of variable length. sled 0.34 is the last of its kind: its format will
//! not change.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};

const SEGMENT_BYTES: usize = 512 * 1024;
const HEADER_BYTES: usize = 20;

/// sled begins no message with less room than this before the segment's end.
const MESSAGE_HEADER_BYTES_MAX: usize = 32;

/// Kinds of messages.
const TORN: u8 = 0;
const CAP: u8 = 2;
const LAST_KIND: u8 = 11;

/// sled's log as a file.
pub struct Log {
    file: File,
    /// In the order of the log: where each begins in the log, and in the file.
    segments: Vec<(u64, u64)>,
    /// Where segments begin in the file whose first bytes are damaged.
    headless: Vec<u64>,
    /// Whether the first header is all zeros.
    begins_clear: bool,
}

impl Log {
    pub fn look_at(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut log =
            Self { file, segments: Vec::new(), headless: Vec::new(), begins_clear: false };
        log.begins_clear = is_clear(&log.read(0, HEADER_BYTES)?);
        for offset in (0..length).step_by(SEGMENT_BYTES) {
            let header = log.read(offset, HEADER_BYTES)?;
            match place_in_log(&header) {
                Some(place) => log.segments.push((place, offset)),
                // sled clears what it does not use.
                None if is_clear(&header) && is_clear(&log.read(offset, SEGMENT_BYTES)?) => {}
                None => log.headless.push(offset),
            }
        }
        log.segments.sort_unstable();
        Ok(log)
    }

    /// Whether it begins with what sled never wrote. A power cut may leave nothing there, but not
    /// something else.
    pub fn is_strange(&self) -> bool {
        self.segments.is_empty() && !self.headless.is_empty() && !self.begins_clear
    }

    /// Where in the file something is unreadable that sled would read from the place `from` in the
    /// log on, save in the last segment: that may be torn.
    pub fn first_hole(&self, from: u64) -> io::Result<Option<u64>> {
        if let Some(offset) = self.headless.first() {
            return Ok(Some(*offset));
        }
        let first = from - from % SEGMENT_BYTES as u64;
        let Some((_, full)) = self.segments.split_last() else { return Ok(None) };
        for (place, offset) in full.iter().filter(|(place, _)| *place >= first) {
            let segment = self.read(*offset, SEGMENT_BYTES)?;
            if let Some(hole) = unreadable(&segment, place / SEGMENT_BYTES as u64) {
                return Ok(Some(offset + hole as u64));
            }
        }
        Ok(None)
    }

    /// The last segment's place in the file, and a checksum of its content.
    pub fn tail(&self) -> io::Result<Tail> {
        let offset = self.segments.last().map_or(0, |(_, offset)| *offset);
        self.tail_at(offset)
    }

    pub fn tail_at(&self, offset: u64) -> io::Result<Tail> {
        let content = self.read(offset, SEGMENT_BYTES)?;
        Ok(Tail { offset, checksum: hex(&Sha256::digest(content)) })
    }

    /// So many bytes, or fewer at the file's end.
    fn read(&self, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let mut content = vec![0; bytes];
        let mut read = 0;
        while let Some(rest) = content.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + read as u64)? {
                0 => break,
                more => read += more,
            }
        }
        content.truncate(read);
        Ok(content)
    }
}

/// The segment that sled goes on writing to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    pub offset: u64,
    pub checksum: String,
}

/// Up to which place in the log sled's snapshot says all; 0 if there is none, or none that is
/// readable.
pub fn snapshot_place(snapshot: &[u8]) -> u64 {
    let place = snapshot.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes));
    // 0 is for none.
    u64::try_from(place.saturating_sub(1)).unwrap_or(0)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_clear(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// `None` if the header is damaged.
fn place_in_log(header: &[u8]) -> Option<u64> {
    let (checksum, rest) = header.split_first_chunk()?;
    let place = u64::from_le_bytes(*rest.first_chunk()?) ^ 0x7fff_ffff_ffff_ffff;
    let intact = header.len() == HEADER_BYTES
        && crc32fast::hash(rest) == u32::from_le_bytes(*checksum) ^ 0xffff_ffff;
    intact.then_some(place)
}

/// Where the messages of a segment end too early.
fn unreadable(segment: &[u8], number: u64) -> Option<usize> {
    let mut at = HEADER_BYTES;
    while at + MESSAGE_HEADER_BYTES_MAX <= SEGMENT_BYTES {
        match message(segment.get(at..).unwrap_or(&[]), number) {
            Some((CAP, _)) => return None,
            Some((_, length)) => at += length,
            None => return Some(at),
        }
    }
    None
}

/// The kind and the length of the message that these bytes begin with, if it is intact.
fn message(bytes: &[u8], number: u64) -> Option<(u8, usize)> {
    let (checksum, rest) = bytes.split_first_chunk()?;
    let (kind, mut rest) = rest.split_first()?;
    let length = usize::try_from(number_from(&mut rest)?).ok()?;
    let segment = number_from(&mut rest)?;
    number_from(&mut rest)?;
    let body = rest.get(..length)?;
    let header = bytes.len() - rest.len();
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(body);
    hasher.update(bytes.get(4..header)?);
    let intact = *kind != TORN
        && *kind <= LAST_KIND
        && segment == number
        && hasher.finalize() ^ 0xffff_ffff == u32::from_le_bytes(*checksum);
    intact.then_some((*kind, header + length))
}

/// A number as sled writes it: small ones in a byte, others after one that tells how.
fn number_from(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first()?;
    let (number, length) = match *first {
        small @ 0..=240 => (u64::from(small), 0),
        high @ 241..=248 => (240 + 256 * u64::from(high - 241) + u64::from(*rest.first()?), 1),
        249 => (2_288 + 256 * u64::from(*rest.first()?) + u64::from(*rest.get(1)?), 2),
        more => {
            let length = usize::from(more - 247);
            let mut number = [0; 8];
            number.get_mut(..length)?.copy_from_slice(rest.get(..length)?);
            (u64::from_le_bytes(number), length)
        }
    };
    *bytes = rest.get(length..)?;
    Some(number)
}
