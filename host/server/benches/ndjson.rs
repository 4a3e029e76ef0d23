//! Events in NDJSON, beside what sled alone does on the same disk: one batch of 1,024 values of
//! 200 bytes and one sync at a time. In turns, so that a noisy machine is noisy to all.
//!
//! `cargo bench -p tollgate --bench ndjson [-- EVENTS]`; needs `make build`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed benchmark is a panic")]
#![allow(clippy::float_arithmetic, reason = "rates, not money")]

#[path = "../../ledger/tests/ledger/support.rs"]
#[allow(dead_code, reason = "the ledger's tests use the rest")]
mod support;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use support::*;
use tollgate_domain::Window;
use tollgate_ledger::Ledger;
use tollgate_ledger::store::sled::SledStore;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;

/// Values in a batch of sled's, and events that wait for the disk at once.
const BATCH: usize = 1024;

const SUBJECTS: usize = 1_000;

fn main() {
    let events = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = Server::start(&folder.path().join("program"));
    let ledger = SledStore::open(&folder.path().join("ledger")).unwrap();
    let ledger = Arc::new(Ledger::open(Arc::new(ledger)).unwrap());
    let raw = folder.path().join("raw");
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let rate = |took: std::time::Duration| events as f64 / took.as_secs_f64();
        let rates = [
            rate(alone(&raw, round, events)),
            rate(runtime.block_on(in_process(&ledger, round, events))),
            rate(server.post(round, events)),
        ];
        println!("  round {round}: {:.0}/s, {:.0}/s, {:.0}/s", rates[0], rates[1], rates[2]);
        rounds.push(rates);
    }
    for (at, what) in [(1, "through the ledger"), (2, "POST /v1/usage, NDJSON")] {
        rounds.sort_by(|a, b| (a[at] / a[0]).total_cmp(&(b[at] / b[0])));
        let median = rounds[ROUNDS / 2];
        let ratio = median[at] / median[0];
        println!("{what}: {:.0} events/s, {ratio:.2} of sled's {:.0}/s", median[at], median[0]);
    }
}

/// sled, with nothing around it.
fn alone(folder: &Path, round: usize, values: usize) -> std::time::Duration {
    let config = sled::Config::new().path(folder).cache_capacity(128 << 20).flush_every_ms(None);
    let tree = config.open().unwrap();
    let file = File::open(folder.join("db")).unwrap();
    let begun = Instant::now();
    for first in (0..values).step_by(BATCH) {
        let mut batch = sled::Batch::default();
        for value in first..values.min(first + BATCH) {
            let key = ((round * values + value) as u64).to_be_bytes();
            let bytes: Vec<_> = key.iter().copied().cycle().take(200).collect();
            batch.insert(&key, bytes);
        }
        tree.apply_batch(batch).unwrap();
        tree.flush().unwrap();
        file.sync_data().unwrap();
    }
    begun.elapsed()
}

/// The ledger, with no policy and no HTTP before it.
async fn in_process(
    ledger: &Arc<Ledger<SledStore>>,
    round: usize,
    events: usize,
) -> std::time::Duration {
    let plans = book(vec![plan(
        "free",
        vec![
            quota("calls", "calls", Window::Month, "1000000000"),
            quota("tokens", "tokens", Window::Month, "1000000000"),
        ],
    )]);
    let ticking = {
        let ledger = ledger.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                let ledger = ledger.clone();
                let tick = tokio::task::spawn_blocking(move || ledger.tick(None, noon()));
                tick.await.unwrap().unwrap();
            }
        })
    };
    let begun = Instant::now();
    let reports = futures_util::stream::iter(0..events).map(|event| {
        let (ledger, plans) = (&ledger, &plans);
        async move {
            let (path, key) = (format!("user-{}", event % SUBJECTS), format!("{round}-{event}"));
            let report = report(&path, Some(&key), 5, noon());
            record(ledger, plans, &report, noon()).await.unwrap();
        }
    });
    let mut recorded = pin!(reports.buffered(BATCH));
    while recorded.next().await.is_some() {}
    let took = begun.elapsed();
    ticking.abort();
    took
}

/// The program, on data of its own, with limits that no benchmark reaches.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let policies = folder.join("policies");
        std::fs::create_dir_all(&policies).unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
        for file in std::fs::read_dir(shipped).unwrap() {
            let file = file.unwrap();
            if file.file_type().unwrap().is_file() {
                std::fs::copy(file.path(), policies.join(file.file_name())).unwrap();
            }
        }
        let plans = policies.join("standard-tiers.toml");
        let text = std::fs::read_to_string(&plans).unwrap();
        let text = text.replace("limit = 100 ", "limit = 1_000_000_000 ");
        std::fs::write(&plans, text.replace("limit = 100_000 ", "limit = 1_000_000_000_000 "))
            .unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.join("data"))
            .arg("--policies")
            .arg(policies)
            .env("TOLLGATE_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let said = lines.find_map(|line| Some(line.ok()?.split_once("http://")?.1.to_owned()));
        Self { process, address: said.expect("the server says where it listens") }
    }

    /// One request with all events.
    fn post(&self, round: usize, events: usize) -> std::time::Duration {
        let mut body = String::new();
        for event in 0..events {
            let subject = event % SUBJECTS;
            writeln!(
                body,
                r#"{{"event_id":"{round}-{event}","subject":"user-{subject}","provider":"gemini","model":"gemini-2.5-flash","usage":{{"input_tokens":90,"output_tokens":45}},"response_time_ms":250,"status_code":200}}"#
            )
            .unwrap();
        }
        let mut connection = TcpStream::connect(&self.address).unwrap();
        let begun = Instant::now();
        write!(
            connection,
            "POST /v1/usage HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-ndjson\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        )
        .unwrap();
        connection.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let took = begun.elapsed();
        let accepted = format!("\"accepted\":{events}");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(&accepted), "{answer}");
        took
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
