//! The program under load, beside a bare axum echo of the same body: `wrk` drives both, in turns,
//! so that a noisy machine is noisy to both. What counts is the ratio.
//!
//! `cargo bench -p tollgate --bench http [-- SECONDS]`; needs `wrk` and `make build`.

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

/// What is asked, of how many connections at once, and how it is called.
const LOADS: [(&str, &str, u32); 3] = [
    ("check", "/v1/check", 32),
    ("record, durable", "/v1/usage", 128),
    ("reserve, durable", "/v1/reservations", 128),
];

fn main() {
    let seconds = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(5);
    if Command::new("wrk").arg("-v").output().is_err() {
        panic!("this benchmark needs `wrk`: apt-get install wrk");
    }
    let echo = echo();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let script = folder.path().join("call.lua");
    std::fs::write(&script, SCRIPT).unwrap();
    for (what, path, connections) in LOADS {
        let tollgate = Tollgate::start(&folder.path().join(path.replace('/', "-")));
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let bare = wrk(&format!("{echo}{path}"), &script, connections, seconds);
            let ours = wrk(&format!("{}{path}", tollgate.url), &script, connections, seconds);
            ratios.push((ours / bare, ours, bare));
        }
        ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (ratio, ours, bare) = ratios[ROUNDS / 2];
        println!(
            "{what}, {connections} connections: {ours:.0}/s, {ratio:.2} of the echo's {bare:.0}/s"
        );
    }
}

/// A thousand subjects, all on a plan with one limit; few enough strings to cost wrk nothing.
const SCRIPT: &str = r#"
local headers = { ["content-type"] = "application/json" }
local count = 0
local bodies = {}
for i = 1, 1000 do
    bodies[i] = '{"subject":"user-' .. i .. '","provider":"gemini","model":"gemini-2.5-flash",' ..
        '"endpoint":"/api/generate","usage":{"input_tokens":100,"output_tokens":50}}'
end
request = function()
    count = count % 1000 + 1
    return wrk.format("POST", nil, headers, bodies[count])
end
"#;

fn wrk(url: &str, script: &Path, connections: u32, seconds: u32) -> f64 {
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "-s"])
        .args([script.as_os_str(), url.as_ref()])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("Non-2xx"), "{url} refuses: {text}");
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    rate.and_then(|rate| rate.trim().parse().ok()).unwrap_or_else(|| panic!("{url}: {text}"))
}

/// Answers any POST with its own JSON body, parsed and printed again.
fn echo() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let echo =
                axum::routing::post(|axum::Json(body): axum::Json<serde_json::Value>| async {
                    axum::Json(body)
                });
            axum::serve(listener, axum::Router::new().fallback(echo)).await.unwrap();
        });
    });
    url
}

struct Tollgate {
    process: Child,
    url: String,
}

impl Tollgate {
    /// On data of its own, with limits that no benchmark reaches.
    fn start(folder: &Path) -> Self {
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
        let url = lines
            .find_map(|line| {
                line.unwrap().strip_prefix("tollgate listening on ").map(str::to_owned)
            })
            .expect("the service says where it listens");
        Self { process, url }
    }
}

impl Drop for Tollgate {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
