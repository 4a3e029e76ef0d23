//! What operators do to a running program, and what callers notice of it.
//!
//! How long a start takes when everything was compiled before; and how long checks take in the
//! second after a policy was replaced, beside the second before, while 32 connections ask without a
//! pause.
//!
//! `cargo bench -p tollgate --bench policies`; needs `make build`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed benchmark is a panic"
)]
#![allow(clippy::float_arithmetic, reason = "ratios of durations, not money")]

#[path = "support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::{copy_policies, tollgate};

const STARTS: usize = 20;
const ROUNDS: usize = 10;
const CONNECTIONS: usize = 32;
const WINDOW: Duration = Duration::from_secs(1);

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let policies = folder.path().join("policies");
    copy_policies(&policies);
    drop(tollgate(folder.path()));
    measure_starts(folder.path());
    measure_reloads(folder.path(), "a changed manifest", |round| {
        let prices = policies.join("token-pricing.toml");
        let text = std::fs::read_to_string(&prices).unwrap();
        std::fs::write(&prices, format!("{text}# edit {round}\n")).unwrap();
    });
    measure_reloads(folder.path(), "a replaced plugin", |_| {
        let plans = policies.join("standard-tiers.wasm");
        // With one more custom section named `n` and nothing in it, it is another plugin.
        let bytes = [std::fs::read(&plans).unwrap(), vec![0, 2, 1, b'n']].concat();
        std::fs::write(&plans, bytes).unwrap();
    });
}

/// From the start of the process to its first answer that it is ready.
fn measure_starts(folder: &Path) {
    let mut times: Vec<_> = (0..STARTS)
        .map(|_| {
            let started = Instant::now();
            let server = tollgate(folder);
            let mut connection = Connection::new(server.address());
            while connection.ask("GET", "/readyz", "") != 200 {}
            started.elapsed()
        })
        .collect();
    times.sort();
    let (median, slowest) = (times[STARTS / 2], times[STARTS - 1]);
    println!("start, everything compiled before: median {median:.1?}, slowest {slowest:.1?}");
}

fn measure_reloads(folder: &Path, what: &str, change: impl Fn(usize)) {
    let server = tollgate(folder);
    let stop = AtomicBool::new(false);
    let (checks, reloads) = thread::scope(|scope| {
        let (address, stop) = (server.address(), &stop);
        let askers: Vec<_> = (0..CONNECTIONS)
            .map(|subject| scope.spawn(move || ask_on(address, subject, stop)))
            .collect();
        let mut operator = Connection::new(server.address());
        let reloads: Vec<_> = (0..ROUNDS)
            .map(|round| {
                // Whatever the last reload left to be done is done, and then a quiet second.
                thread::sleep(3 * WINDOW);
                // On a busy disk the file alone takes seconds: that is not the reload.
                change(round);
                let begun = Instant::now();
                assert_eq!(operator.ask("POST", "/v1/policies/reload", ""), 200);
                (begun, begun.elapsed())
            })
            .collect();
        thread::sleep(WINDOW);
        stop.store(true, Ordering::Relaxed);
        let checks: Vec<_> = askers.into_iter().flat_map(|asker| asker.join().unwrap()).collect();
        (checks, reloads)
    });
    let mut rounds: Vec<_> = reloads
        .iter()
        .map(|&(begun, took)| {
            let before = p99(&checks, begun - WINDOW..begun);
            let after = p99(&checks, begun..begun + WINDOW);
            (after.as_secs_f64() / before.as_secs_f64(), before, after, took)
        })
        .collect();
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, before, after, took) = rounds[ROUNDS / 2];
    println!(
        "{what}, {} checks, none failed: p99 {before:.1?} before and {after:.1?} in the second \
         after, {ratio:.2} times (at worst {:.2}); the reload took {took:.1?}",
        checks.len(),
        rounds[ROUNDS - 1].0
    );
}

/// Asks until told to stop: when each question was asked, and how long the answer took.
fn ask_on(address: &str, subject: usize, stop: &AtomicBool) -> Vec<(Instant, Duration)> {
    let mut connection = Connection::new(address);
    let body = format!(
        r#"{{"subject":"user-{subject}","provider":"gemini","model":"gemini-2.5-flash","usage":{{"input_tokens":100,"output_tokens":50}}}}"#
    );
    let mut checks = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        assert_eq!(connection.ask("POST", "/v1/check", &body), 200);
        checks.push((asked, asked.elapsed()));
    }
    checks
}

fn p99(checks: &[(Instant, Duration)], window: std::ops::Range<Instant>) -> Duration {
    let within = checks.iter().filter(|(asked, _)| window.contains(asked));
    let mut times: Vec<_> = within.map(|(_, took)| *took).collect();
    times.sort();
    times[times.len() * 99 / 100]
}

/// A connection that is kept open, and asks one thing after the other.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn new(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// The status of the answer, which is read to its end.
    fn ask(&mut self, method: &str, path: &str, body: &str) -> u16 {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut status, mut left) = (0, 0);
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            let line = line.trim_end();
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().unwrap();
            } else if let Some(length) = line.strip_prefix("content-length: ") {
                left = length.parse().unwrap();
            } else if line.is_empty() {
                break;
            }
        }
        let mut rest = vec![0; left];
        self.0.read_exact(&mut rest).unwrap();
        status
    }
}
