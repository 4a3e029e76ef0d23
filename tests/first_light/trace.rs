//! Traces, recorded and made up.

#[derive(Clone, Copy)]
pub struct Row {
    pub input_tokens: u64,
    pub output_tokens: u64,
}

pub fn parse(text: &str) -> Vec<Row> {
    let row = |line: &str| {
        let mut cells = line.split(',').skip(1).map(|cell| cell.parse().unwrap());
        Row { input_tokens: cells.next().unwrap(), output_tokens: cells.next().unwrap() }
    };
    text.lines().skip(1).map(row).collect()
}

/// For each subject first small calls, until a plan's calls run out, and then some so large that
/// tokens and money do; with odd numbers, so that a lost digit shows.
pub fn synthetic(subjects: usize) -> Vec<Row> {
    let small = |i: u64| Row { input_tokens: i % 3, output_tokens: i % 7 };
    let middling = |i: u64| Row { input_tokens: 20_001 + i, output_tokens: 1_003 };
    let large = |i: u64| Row { input_tokens: 3_000_001 + 7 * i, output_tokens: 100_003 + i };
    let rounds = subjects as u64;
    let small = (0..10 * rounds).map(small);
    let middling = (0..20 * rounds).map(middling);
    let again = (0..200 * rounds).map(|i| Row { input_tokens: i % 3, output_tokens: 1 });
    small.chain(middling).chain(again).chain((0..150 * rounds).map(large)).collect()
}

pub fn print(rows: &[Row]) -> String {
    let mut text = "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned();
    for Row { input_tokens, output_tokens } in rows {
        text += &format!("2023-11-16 18:17:03.9799600,{input_tokens},{output_tokens}\n");
    }
    text
}
