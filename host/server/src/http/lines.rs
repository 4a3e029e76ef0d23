//! A body that is taken line by line: only the line that is being read is in memory, and what
//! arrived with it.

use std::mem;

use axum::Error;
use axum::body::{Body, BodyDataStream};
use bytes::{Buf, BytesMut};
use futures_util::stream::{self, Fuse, Stream, StreamExt};
use tokio::task::coop::consume_budget;

/// Of one line, its end not counted.
pub const LINE_BYTES_MAX: usize = 1 << 20;

#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    Whole(BytesMut),
    /// Read to its end all the same, so that the next one can be taken.
    TooLong,
}

struct Lines {
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
pub fn lines(body: Body) -> impl Stream<Item = Result<Line, Error>> {
    let body = body.into_data_stream().fuse();
    let lines = Lines { body, buffer: BytesMut::new(), searched: 0, too_long: false };
    stream::try_unfold(lines, |mut lines| async {
        // Much may have arrived at once, and others are waiting for this thread too.
        consume_budget().await;
        Ok(lines.next().await?.map(|line| (line, lines)))
    })
}

impl Lines {
    async fn next(&mut self) -> Result<Option<Line>, Error> {
        loop {
            let new = &self.buffer[self.searched..];
            if let Some(at) = new.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + at);
                self.buffer.advance(1);
                return Ok(Some(self.line(line)));
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
                    let line = self.buffer.split();
                    return Ok(Some(self.line(line)));
                }
            }
        }
    }

    fn line(&mut self, line: BytesMut) -> Line {
        self.searched = 0;
        match mem::take(&mut self.too_long) || line.len() > LINE_BYTES_MAX {
            true => Line::TooLong,
            false => Line::Whole(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use futures_util::TryStreamExt;

    use super::*;

    async fn read(chunks: &[&str]) -> Vec<Line> {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Bytes::from(chunk.to_string())).collect();
        let body = Body::from_stream(stream::iter(chunks.into_iter().map(Ok::<_, Error>)));
        lines(body).try_collect().await.unwrap()
    }

    fn whole(line: &str) -> Line {
        Line::Whole(line.into())
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
        let expected = [whole(&full), Line::TooLong, whole("y"), Line::TooLong];
        let together = format!("{full}\n{over}\ny\n{over}");
        assert_eq!(read(&[&together]).await, expected);
        assert_eq!(read(&[&full, "\n", &over, &over, "\ny\n", &full, "x"]).await, expected);
    }
}
