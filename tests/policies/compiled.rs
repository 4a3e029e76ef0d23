use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{limit, policies, revision};
use crate::support::{CLOCK_START, Home, PATIENCE, Server};

async fn compilations(server: &Server) -> u64 {
    let metrics = server.get("/metrics").await.text;
    let line =
        metrics.lines().find_map(|line| line.strip_prefix("tollgate_policies_compilations_total "));
    line.unwrap_or_else(|| panic!("{metrics}")).parse().unwrap()
}

fn kept(home: &Home) -> Vec<PathBuf> {
    let files = fs::read_dir(home.path().join("data/compiled")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "code")).collect()
}

/// A home in which the shipped plugins were compiled once.
async fn warm() -> Arc<Home> {
    let home = Home::cold();
    let server = Server::start(&home).await;
    assert_eq!(compilations(&server).await, 3);
    server.kill();
    home
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_compiles_nothing_that_was_compiled_before() {
    let home = warm().await;
    let server = Server::start(&home).await;
    assert_eq!(compilations(&server).await, 0);
    assert_eq!(limit(&server, "ann").await, "100");
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(home.path().join("data/compiled")), 0o700);
    assert_eq!(mode(home.path().join("data/compiled/key")), 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_was_tampered_with_is_compiled_anew() {
    let home = warm().await;
    let files = kept(&home);
    assert_eq!(files.len(), 3);
    let mut damaged = fs::read(&files[0]).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&files[0], damaged).unwrap();
    // Another plugin's code, under a name that is not its own.
    fs::copy(&files[2], &files[1]).unwrap();
    let server = Server::start(&home).await;
    assert_eq!(compilations(&server).await, 2);
    assert_eq!(limit(&server, "ann").await, "100");
    assert!(server.log().contains("kept code is not what was kept"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_takes_for_ever_to_compile_is_refused_and_nobody_waits_for_it() {
    let home = warm().await;
    let mut command = Server::command(&home, CLOCK_START);
    command.args(["--compile-seconds", "1"]);
    let server = Server::spawn(&home, command);
    let before = revision(&server).await;
    let tiers = fs::read(home.policy("standard-tiers.wasm")).unwrap();
    fs::write(home.policy("standard-tiers.wasm"), with_much_to_compile(tiers)).unwrap();
    // The compiler is nice: where all tests run at once, a second of its time lasts long.
    let started = Instant::now();
    let refused = loop {
        assert_eq!(limit(&server, "ann").await, "100");
        if let Some(refused) = policies(&server).await["rejected"].get(0) {
            break refused.clone();
        }
        assert!(started.elapsed() < 6 * PATIENCE, "the plugin is never refused");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(
        (&refused["name"], &refused["step"]),
        (&"standard-tiers".into(), &"compiled".into())
    );
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.contains("takes more than 1 s of processor time to compile"), "{reason}");
    assert_eq!(revision(&server).await, before);
}

/// The component with a module in it that nobody calls, of megabytes.
fn with_much_to_compile(mut component: Vec<u8>) -> Vec<u8> {
    const FUNCTIONS: usize = 200;
    // One local; again and again it is doubled and added to; the end.
    let mut body = vec![1, 1, 0x7f];
    for _ in 0..12_000 {
        body.extend([0x20, 0, 0x41, 1, 0x74, 0x20, 0, 0x6a, 0x21, 0]);
    }
    body.push(0x0b);
    let mut code = leb(FUNCTIONS);
    for _ in 0..FUNCTIONS {
        code.extend(leb(body.len()));
        code.extend(&body);
    }
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    // One type without parameters and results, and every function is of it.
    module.extend(section(1, &[1, 0x60, 0, 0]));
    module.extend(section(3, &[leb(FUNCTIONS), vec![0; FUNCTIONS]].concat()));
    module.extend(section(10, &code));
    component.extend(section(1, &module));
    component
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len()), content].concat()
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
