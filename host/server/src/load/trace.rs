//! The trace: when which call came, and how many tokens it took.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use chrono::NaiveDateTime;
use csv::StringRecord;

const HEADER: [&str; 3] = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];

/// A recorded call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// How long after the first row; zero for a row that is out of order before it.
    pub offset: Duration,
    pub input_tokens: u32,
    pub output_tokens: u32,
}

/// Reads a whole trace; an error names the file and the line.
pub fn read(path: &Path) -> anyhow::Result<Vec<Row>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    parse(&text).map_err(|(line, error)| error.context(format!("{}:{line}", path.display())))
}

/// The rows, or what is wrong and in which line.
fn parse(text: &str) -> Result<Vec<Row>, (u64, anyhow::Error)> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| (1, error.into()))?;
    if header != HEADER.as_slice() {
        return Err((1, anyhow!("the header must be {}", HEADER.join(","))));
    }
    let mut rows = Vec::new();
    let mut first = None;
    for record in reader.records() {
        let record = record
            .map_err(|error| (error.position().map_or(0, |place| place.line()), error.into()))?;
        let line = record.position().map_or(0, |place| place.line());
        let (at, row) = read_row(&record).map_err(|error| (line, error))?;
        let offset = (at - *first.get_or_insert(at)).to_std().unwrap_or_default();
        rows.push(Row { offset, ..row });
    }
    if rows.is_empty() { Err((1, anyhow!("has no rows"))) } else { Ok(rows) }
}

fn read_row(record: &StringRecord) -> anyhow::Result<(NaiveDateTime, Row)> {
    let (at, input, output) = (&record[0], &record[1], &record[2]);
    let at = NaiveDateTime::parse_from_str(at, "%Y-%m-%d %H:%M:%S%.f")
        .with_context(|| format!("TIMESTAMP {at:?}"))?;
    let input_tokens = input.parse().with_context(|| format!("ContextTokens {input:?}"))?;
    let output_tokens = output.parse().with_context(|| format!("GeneratedTokens {output:?}"))?;
    Ok((at, Row { offset: Duration::ZERO, input_tokens, output_tokens }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_placed_by_its_distance_from_the_first() {
        let rows = parse(
            "TIMESTAMP,ContextTokens,GeneratedTokens\n\
             2023-11-16 18:17:03.9799600,4808,10\n\
             2023-11-16 18:17:04.0319600,3180,8\n\
             2023-11-16 18:17:01,1,0",
        );
        let row = |micros, input_tokens, output_tokens| Row {
            offset: Duration::from_micros(micros),
            input_tokens,
            output_tokens,
        };
        assert_eq!(rows.unwrap(), [row(0, 4808, 10), row(52_000, 3180, 8), row(0, 1, 0)]);
    }

    #[test]
    fn an_error_names_the_line_and_what_is_wrong_there() {
        let head = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,1,2\n";
        for (text, line, word) in [
            ("time,in,out\n2023-11-16 18:17:03,1,2\n", 1, "header"),
            ("TIMESTAMP,ContextTokens,GeneratedTokens\n", 1, "no rows"),
            (&format!("{head}yesterday,1,2\n"), 3, "TIMESTAMP \"yesterday\""),
            (&format!("{head}2023-11-16 18:17:03,-1,2\n"), 3, "ContextTokens \"-1\""),
            (&format!("{head}2023-11-16 18:17:03,1,1.5\n"), 3, "GeneratedTokens \"1.5\""),
            (&format!("{head}2023-11-16 18:17:03,1\n"), 3, "2 fields"),
        ] {
            let (at, error) = parse(text).unwrap_err();
            assert_eq!(at, line, "{text}");
            assert!(format!("{error:#}").contains(word), "{error:#}");
        }
    }
}
