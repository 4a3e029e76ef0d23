//! A body that is taken line by line: only the lines that are being read are in memory, and what
//! arrived with them.

use std::mem;

use axum::Error;
use axum::body::{Body, BodyDataStream};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::stream::{self, Fuse, Stream, StreamExt};
use memchr::{memchr, memchr_iter};
use tokio::task::coop::consume_budget;

/// Of one line, its end not counted.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// Of the lines that are taken together, unless it is one alone.
const TOGETHER_BYTES_MAX: usize = 64 << 10;

/// How many lines are taken together: what becomes of a short line may take more room than it.
const TOGETHER_MAX: usize = 1024;

#[derive(Debug, PartialEq, Eq)]
pub enum Lines {
    /// One or more, as many as have arrived. The last of the body may have no end.
    Whole(Bytes),
    /// One, which is read to its end all the same, so that the next one can be taken.
    TooLong,
}

struct Reader {
    body: Fuse<BodyDataStream>,
    /// What is still to be taken.
    buffer: BytesMut,
    /// How much of it has no end of a line.
    searched: usize,
    /// Whether the beginning of this line was thrown away.
    too_long: bool,
}

/// The lines of a body as they arrive, blank ones too. Where the body breaks off, what came of
/// the last line is no line.
pub fn lines(body: Body) -> impl Stream<Item = Result<Lines, Error>> {
    let body = body.into_data_stream().fuse();
    let reader = Reader { body, buffer: BytesMut::new(), searched: 0, too_long: false };
    stream::try_unfold(reader, |mut reader| async {
        // Much may have arrived at once, and others are waiting for this thread too.
        consume_budget().await;
        Ok(reader.next().await?.map(|lines| (lines, reader)))
    })
}

/// Lines one by one, without their ends.
pub fn each(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
    lines.split(|byte| *byte == b'\n')
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Lines>, Error> {
        loop {
            if let Some(at) = memchr(b'\n', &self.buffer[self.searched..]) {
                return Ok(Some(self.take(self.searched + at)));
            }
            self.searched = self.buffer.len();
            if self.searched > LINE_BYTES_MAX {
                (self.too_long, self.searched) = (true, 0);
                self.buffer.clear();
            }
            match self.body.next().await.transpose()? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.buffer.is_empty() && !self.too_long => return Ok(None),
                None => {
                    self.searched = 0;
                    let rest = self.buffer.split().freeze();
                    return Ok(Some(match mem::take(&mut self.too_long) {
                        true => Lines::TooLong,
                        false => Lines::Whole(rest),
                    }));
                }
            }
        }
    }

    /// Takes the line that ends there, and those after it that fit.
    fn take(&mut self, end: usize) -> Lines {
        self.searched = 0;
        if mem::take(&mut self.too_long) || end > LINE_BYTES_MAX {
            self.buffer.advance(end + 1);
            return Lines::TooLong;
        }
        let together = self.buffer.len().min(TOGETHER_BYTES_MAX).max(end + 1);
        let ends = memchr_iter(b'\n', &self.buffer[..together]).take(TOGETHER_MAX);
        let last = ends.last().unwrap_or(end);
        Lines::Whole(self.buffer.split_to(last + 1).freeze())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, TryStreamExt};

    use super::*;

    async fn read(chunks: &[&str]) -> Vec<Option<String>> {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Bytes::from(chunk.to_string())).collect();
        let body = Body::from_stream(stream::iter(chunks.into_iter().map(Ok::<_, Error>)));
        let taken: Vec<_> = lines(body).try_collect().await.unwrap();
        let one_by_one = |lines: &Lines| match lines {
            Lines::Whole(lines) => each(lines)
                .map(|line| Some(String::from_utf8_lossy(line).into_owned()))
                .collect::<Vec<_>>(),
            Lines::TooLong => vec![None],
        };
        taken.iter().flat_map(one_by_one).collect()
    }

    fn whole(line: &str) -> Option<String> {
        Some(line.to_owned())
    }

    #[tokio::test]
    async fn it_does_not_matter_how_lines_are_cut_into_chunks() {
        let expected = ["ab", "", "c\r", "d"].map(whole);
        for chunks in [
            &["ab\n\nc\r\nd"][..],
            &["ab\n\nc\r\nd\n"],
            &["a", "b", "\n", "\n", "c\r", "\nd"],
            &["", "ab\n\nc", "\r\nd", "", "\n"],
        ] {
            assert_eq!(read(chunks).await, expected, "{chunks:?}");
        }
        assert_eq!(read(&[]).await, []);
    }

    #[tokio::test]
    async fn a_line_may_be_just_so_long() {
        let (full, over) = ("x".repeat(LINE_BYTES_MAX), "x".repeat(LINE_BYTES_MAX + 1));
        let expected = [whole(&full), None, whole("y"), None];
        let together = format!("{full}\n{over}\ny\n{over}");
        assert_eq!(read(&[&together]).await, expected);
        assert_eq!(read(&[&full, "\n", &over, &over, "\ny\n", &full, "x"]).await, expected);
    }

    #[tokio::test]
    async fn of_long_lines_few_are_held_and_of_short_ones_many() {
        let short = "x".repeat(99) + "\n";
        let long = "x".repeat(TOGETHER_BYTES_MAX) + "\n";
        let half = "x".repeat(TOGETHER_BYTES_MAX / 2 - 1) + "\n";
        let body = short.repeat(1000) + &long + &half.repeat(3);
        let taken: Vec<_> = lines(Body::from(body)).try_collect().await.unwrap();
        let sizes = taken.iter().map(|lines| match lines {
            Lines::Whole(lines) => lines.len() / short.len(),
            Lines::TooLong => 0,
        });
        assert_eq!(sizes.collect::<Vec<_>>(), [655, 345, 655, 655, 327]);
    }

    #[tokio::test]
    async fn of_the_shortest_lines_only_so_many_are_held() {
        let body = Body::from("x\n".repeat(2 * TOGETHER_MAX + 1));
        let taken: Vec<_> = lines(body).try_collect().await.unwrap();
        let counts = taken.iter().map(|lines| match lines {
            Lines::Whole(lines) => each(lines).count(),
            Lines::TooLong => 0,
        });
        assert_eq!(counts.collect::<Vec<_>>(), [TOGETHER_MAX, TOGETHER_MAX, 1]);
    }

    #[tokio::test]
    async fn what_has_arrived_waits_for_nothing_else() {
        let arrived = stream::iter([Ok::<_, Error>(Bytes::from("a\nb\nc"))]);
        let body = Body::from_stream(arrived.chain(stream::pending()));
        let first = Box::pin(lines(body)).next().now_or_never().flatten();
        assert_eq!(first.unwrap().unwrap(), Lines::Whole("a\nb\n".into()));
    }
}
