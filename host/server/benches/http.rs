//! The program under load, beside a bare axum echo of the same body: `wrk` drives both, in turns,
//! so that a noisy machine is noisy to both. What counts is the ratio.
//!
//! Also printed is the processor time that a request costs either server, user and system. `wrk`
//! itself needs a core, so that on a small machine the rates say as much of it as of the servers;
//! and processor time hardly changes when others use the machine.
//!
//! `cargo bench -p tollgate --bench http [-- SECONDS [LOAD]]`; needs `wrk` and `make build`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed benchmark is a panic"
)]
#![allow(clippy::float_arithmetic, reason = "rates, not money")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const ROUNDS: usize = 3;

/// What is asked, where, of how many connections at once, and by which script.
const LOADS: [(&str, &str, u32, &str); 4] = [
    ("check", "/v1/check", 32, ASK),
    ("record, durable", "/v1/usage", 128, ASK),
    ("reserve, durable", "/v1/reservations", 128, ASK),
    ("reserve and settle, durable", "/v1/reservations", 128, RESERVE_AND_SETTLE),
];

/// The argument that makes this program the echo.
const BE_THE_ECHO: &str = "--be-the-echo";

fn main() {
    let args: Vec<_> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == BE_THE_ECHO) {
        return echo();
    }
    let seconds = args.iter().find_map(|arg| arg.parse().ok()).unwrap_or(5);
    let wanted = args.iter().rfind(|arg| !arg.starts_with('-') && arg.parse::<u32>().is_err());
    if Command::new("wrk").arg("-v").output().is_err() {
        panic!("this benchmark needs `wrk`: apt-get install wrk");
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let script = folder.path().join("call.lua");
    let echo = Server::start(Command::new(std::env::current_exe().unwrap()).arg(BE_THE_ECHO));
    for (at, (what, path, connections, lua)) in LOADS.into_iter().enumerate() {
        if wanted.is_some_and(|wanted| !what.contains(wanted)) {
            continue;
        }
        std::fs::write(&script, [BODIES, lua].concat()).unwrap();
        let tollgate = tollgate(&folder.path().join(at.to_string()));
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let bare = echo.bear(path, &script, connections, seconds);
            let ours = tollgate.bear(path, &script, connections, seconds);
            rounds.push((ours, bare));
        }
        let rate = median(&rounds, |(ours, bare)| ours.rate / bare.rate);
        let cost = median(&rounds, |(ours, bare)| ours.micros / bare.micros);
        let ((ours, bare), (our, its)) = (rate.1, cost.1);
        println!(
            "{what}, {connections} connections: {:.0}/s, {:.2} of the echo's {:.0}/s; \
             a request takes {:.1} µs, {:.2} of its {:.1} µs",
            ours.rate, rate.0, bare.rate, our.micros, cost.0, its.micros
        );
    }
}

/// The round in the middle, by what `of` makes of it.
fn median(rounds: &[(Borne, Borne)], of: impl Fn(&(Borne, Borne)) -> f64) -> (f64, (Borne, Borne)) {
    let mut by_ratio: Vec<_> = rounds.iter().map(|round| (of(round), *round)).collect();
    by_ratio.sort_by(|a, b| a.0.total_cmp(&b.0));
    by_ratio[ROUNDS / 2]
}

/// A thousand subjects, all on a plan with one limit; few enough strings to cost wrk nothing.
const BODIES: &str = r#"
local headers = { ["content-type"] = "application/json" }
local count = 0
local bodies = {}
for i = 1, 1000 do
    bodies[i] = '{"subject":"user-' .. i .. '","provider":"gemini","model":"gemini-2.5-flash",' ..
        '"endpoint":"/api/generate","usage":{"input_tokens":100,"output_tokens":50}}'
end
local function ask()
    count = count % 1000 + 1
    return wrk.format("POST", nil, headers, bodies[count])
end
"#;

const ASK: &str = "request = ask\n";

/// Whatever was reserved is settled next. Of the echo's answers every other one counts as a
/// reservation, so that it is sent the same.
const RESERVE_AND_SETTLE: &str = r#"
local reserved = {}
local echoed = false
local used = '{"usage":{"input_tokens":90,"output_tokens":45},"response_time_ms":250,"status_code":200}'
request = function()
    local id = table.remove(reserved)
    if not id then return ask() end
    return wrk.format("POST", "/v1/reservations/" .. id .. "/settle", headers, used)
end
response = function(status, _, body)
    local id = body:match('"reservation_id":"(%x+)"')
    if body:sub(1, 11) == '{"subject":' then id = "0123456789abcdef0123456789abcdef" end
    if id then reserved[#reserved + 1] = id end
end
"#;

/// What a server did under load.
#[derive(Clone, Copy)]
struct Borne {
    /// Requests a second.
    rate: f64,
    /// Processor time a request, in microseconds.
    micros: f64,
}

/// Answers any POST with its own JSON body, parsed and printed again.
fn echo() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("echo listening on http://{}", listener.local_addr().unwrap());
        let echo = axum::routing::post(|axum::Json(body): axum::Json<serde_json::Value>| async {
            axum::Json(body)
        });
        axum::serve(listener, axum::Router::new().fallback(echo)).await.unwrap();
    });
}

/// The program, on data of its own, with limits that no benchmark reaches.
fn tollgate(folder: &Path) -> Server {
    let policies = folder.join("policies");
    std::fs::create_dir_all(&policies).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    for file in std::fs::read_dir(shipped).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), policies.join(file.file_name())).unwrap();
    }
    let plans = policies.join("standard-tiers.toml");
    let text = std::fs::read_to_string(&plans).unwrap();
    let text = text.replace("limit = 100 ", "limit = 1_000_000_000 ");
    let text = text.replace("limit = 100_000 ", "limit = 1_000_000_000_000 ");
    std::fs::write(&plans, text).unwrap();
    Server::start(
        Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.join("data"))
            .arg("--policies")
            .arg(policies)
            .env("TOLLGATE_LOG", "warn"),
    )
}

struct Server {
    process: Child,
    url: String,
}

impl Server {
    /// Starts a program that says where it listens.
    fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = lines.find_map(|line| Some(line.unwrap().split_once(" listening on ")?.1.into()));
        Self { process, url: url.expect("the server says where it listens") }
    }

    fn bear(&self, path: &str, script: &Path, connections: u32, seconds: u32) -> Borne {
        let before = self.ticks();
        let url = format!("{}{path}", self.url);
        let output = Command::new("wrk")
            .args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "-s"])
            .args([script.as_os_str(), url.as_ref()])
            .output()
            .unwrap();
        let ticks = self.ticks() - before;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "{url}: {text}");
        let number = |line: &str| line.split_whitespace().next()?.parse::<f64>().ok();
        let find = |of: &dyn Fn(&str) -> Option<f64>| {
            text.lines().find_map(of).unwrap_or_else(|| panic!("{url}: {text}"))
        };
        let rate = find(&|line| number(line.strip_prefix("Requests/sec:")?));
        let requests = find(&|line| line.contains(" requests in ").then(|| number(line))?);
        // A hundred ticks a second, on every Linux of today.
        Borne { rate, micros: ticks * 10_000.0 / requests }
    }

    /// Processor time so far, user and system (proc_pid_stat(5), fields 14 and 15).
    fn ticks(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let times = fields.split(' ').skip(11).take(2);
        times.map(|ticks| ticks.parse::<f64>().unwrap()).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
