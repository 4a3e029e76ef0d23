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

#[path = "support/mod.rs"]
mod support;

use std::path::Path;
use std::process::Command;

use support::{Server, copy_policies, tollgate};

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
        let home = folder.path().join(at.to_string());
        copy_policies(&home.join("policies"));
        let tollgate = tollgate(&home);
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let bare = bear(&echo, path, &script, connections, seconds);
            let ours = bear(&tollgate, path, &script, connections, seconds);
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

/// Has a server answer as many requests as it can.
fn bear(server: &Server, path: &str, script: &Path, connections: u32, seconds: u32) -> Borne {
    let before = server.ticks();
    let url = format!("{}{path}", server.url);
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "-s"])
        .args([script.as_os_str(), url.as_ref()])
        .output()
        .unwrap();
    let ticks = server.ticks() - before;
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
