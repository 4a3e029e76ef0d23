//! Takes a backup apart, and believes nothing that it has not checked.

use std::io::{self, BufReader, Read};

use sha2::{Digest, Sha256};

use super::broken::{Broken, Place};
use super::frame::{
    BLOCK, CONTENT_BYTES_MAX, END, FORMAT, HEAD, MAGIC, REFUSALS, SHELVED, checksum,
};

/// As much as is read in one go.
const BUFFER_BYTES: usize = 128 * 1024;

/// A backup that is being read. What it gives before its end has been reached is undamaged, and
/// may still be only a part.
pub struct Reader<R> {
    input: BufReader<R>,
    head: Head,
    /// The frame that comes next.
    place: Place,
    /// Of all bytes before it.
    digest: Sha256,
    content: Vec<u8>,
    blocks: u64,
    /// What the end said, once it was reached.
    summary: Option<Summary>,
}

/// What a backup says of itself at its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub blocks: u64,
    /// The version of tollgate that made it.
    pub made_by: String,
}

/// Something that the ledger is made of.
#[derive(Debug, PartialEq, Eq)]
pub enum Record<'a> {
    Block {
        number: u64,
        block: &'a [u8],
    },
    Refusals {
        number: u64,
        block: &'a [u8],
    },
    /// A piece of what was kept under a name; so many more of the same follow.
    Shelved {
        name: &'a str,
        piece: &'a [u8],
        left: u32,
    },
}

/// What a whole backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    pub blocks: u64,
    pub events: u64,
    /// From its first byte to its last.
    pub bytes: u64,
}

impl<R: Read> Reader<R> {
    /// Reads the beginning, up to the first record.
    pub fn open(input: R) -> Result<Self, Broken> {
        let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
        let (mut magic, mut format) = ([0; MAGIC.len()], [0; 4]);
        whole(input.read_exact(&mut magic))?.ok_or(Broken::NotABackup)?;
        if magic != *MAGIC {
            return Err(Broken::NotABackup);
        }
        let start = Place { frame: 0, byte: (magic.len() + format.len()) as u64 };
        whole(input.read_exact(&mut format))?.ok_or(Broken::Truncated(start))?;
        if format != FORMAT.to_le_bytes() {
            return Err(Broken::UnknownFormat(u32::from_le_bytes(format)));
        }
        let mut reader = Self {
            input,
            head: Head { blocks: 0, made_by: String::new() },
            place: start,
            digest: Sha256::new().chain_update(magic).chain_update(format),
            content: vec![],
            blocks: 0,
            summary: None,
        };
        let kind = reader.frame()?;
        if kind != HEAD {
            return Err(damaged(start, "it should be the head"));
        }
        let (blocks, made_by) =
            number(&reader.content).ok_or_else(|| damaged(start, "the head is too short"))?;
        reader.head = Head { blocks, made_by: String::from_utf8_lossy(made_by).into_owned() };
        Ok(reader)
    }

    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The next record; `None` once the end was reached and vouches for everything before it.
    pub fn record(&mut self) -> Result<Option<Record<'_>>, Broken> {
        if self.summary.is_some() {
            return Ok(None);
        }
        let (place, before) = (self.place, self.digest.clone());
        let kind = self.frame()?;
        match kind {
            BLOCK => {
                self.blocks += 1;
                let short = || damaged(place, "the block is too short");
                let (number, block) = number(&self.content).ok_or_else(short)?;
                Ok(Some(Record::Block { number, block }))
            }
            REFUSALS => {
                let short = || damaged(place, "the block of refusals is too short");
                let (number, block) = number(&self.content).ok_or_else(short)?;
                Ok(Some(Record::Refusals { number, block }))
            }
            SHELVED => {
                let short = || damaged(place, "what is shelved is too short, or has no name");
                let (left, name, piece) = shelved(&self.content).ok_or_else(short)?;
                Ok(Some(Record::Shelved { name, piece, left }))
            }
            END => {
                self.summary = Some(self.end(place, before)?);
                Ok(None)
            }
            HEAD => Err(damaged(place, "there is a second head")),
            kind => {
                let made_by = self.head.made_by.clone();
                Err(Broken::UnknownKind { place, kind: kind.into(), made_by })
            }
        }
    }

    /// Reads on to the end, and tells what there was.
    pub fn finish(mut self) -> Result<Summary, Broken> {
        loop {
            if let Some(summary) = self.summary {
                return Ok(summary);
            }
            self.record()?;
        }
    }

    /// What there was, once the end was reached.
    pub fn summary(&self) -> Option<Summary> {
        self.summary
    }

    /// Reads a frame into `content` and tells its kind.
    fn frame(&mut self) -> Result<u8, Broken> {
        let place = self.place;
        let mut begin = [0; 5];
        self.exactly(&mut begin)?;
        let [kind, length @ ..] = begin;
        let length = u32::from_le_bytes(length);
        if length > CONTENT_BYTES_MAX {
            return Err(damaged(place, format!("its length is said to be {length} bytes")));
        }
        self.content.clear();
        // No more memory is taken than there are bytes: the length may be damaged as well.
        let read = self.input.by_ref().take(length.into()).read_to_end(&mut self.content)?;
        if read as u64 != u64::from(length) {
            return Err(Broken::Truncated(place));
        }
        let mut stored = [0; 4];
        self.exactly(&mut stored)?;
        if u32::from_le_bytes(stored) != checksum(kind, length, &[&self.content]) {
            return Err(damaged(place, "its checksum is another"));
        }
        self.digest.update(begin);
        self.digest.update(&self.content);
        self.digest.update(stored);
        let bytes = (begin.len() + stored.len()) as u64 + u64::from(length);
        self.place = Place { frame: place.frame + 1, byte: place.byte + bytes };
        Ok(kind)
    }

    /// Compares what the end says with what was read, and looks for more where nothing may be.
    fn end(&mut self, place: Place, before: Sha256) -> Result<Summary, Broken> {
        let said = number(&self.content).and_then(|(frames, rest)| {
            number(rest).map(|(events, digest)| (frames, events, digest))
        });
        let (frames, events, digest) =
            said.ok_or_else(|| damaged(place, "the end is too short"))?;
        if frames != place.frame || self.blocks != self.head.blocks {
            let blocks = self.head.blocks;
            let what = format!(
                "it is the end of {frames} frames with {blocks} blocks, and there were {} with {}",
                place.frame, self.blocks
            );
            return Err(damaged(place, what));
        }
        if digest != before.finalize().as_slice() {
            return Err(damaged(place, "the digest of all that came before is another"));
        }
        self.content.clear();
        if self.input.by_ref().take(1).read_to_end(&mut self.content)? > 0 {
            return Err(damaged(self.place, "it follows the end"));
        }
        Ok(Summary { blocks: self.blocks, events, bytes: self.place.byte })
    }

    fn exactly(&mut self, bytes: &mut [u8]) -> Result<(), Broken> {
        whole(self.input.read_exact(bytes))?.ok_or(Broken::Truncated(self.place))
    }
}

/// `None` where the input ended before.
fn whole(read: io::Result<()>) -> Result<Option<()>, Broken> {
    match read {
        Ok(()) => Ok(Some(())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The number that bytes begin with, and the rest of them.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*number), rest))
}

/// How many frames follow under the same name, the name, and the piece.
fn shelved(content: &[u8]) -> Option<(u32, &str, &[u8])> {
    let (left, rest) = content.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (name, piece) = rest.split_at_checked(length)?;
    Some((u32::from_le_bytes(*left), str::from_utf8(name).ok()?, piece))
}

fn damaged(place: Place, what: impl Into<String>) -> Broken {
    Broken::Damaged { place, what: what.into() }
}
