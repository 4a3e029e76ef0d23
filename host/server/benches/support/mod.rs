//! The program in a process of its own, on data of its own.

#![allow(dead_code, reason = "no benchmark needs all of it")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server that said where it listens.
pub struct Server {
    process: Child,
    pub url: String,
}

/// Puts the shipped policies into `folder`, with limits that no benchmark reaches.
pub fn copy_policies(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    for file in std::fs::read_dir(shipped).unwrap() {
        let file = file.unwrap();
        // Catalogues that somebody imported have a folder, and would make a price dearer.
        if file.path().is_file() {
            std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
    }
    let plans = folder.join("standard-tiers.toml");
    let text = std::fs::read_to_string(&plans).unwrap();
    let text = text.replace("limit = 100 ", "limit = 1_000_000_000 ");
    let text = text.replace("limit = 100_000 ", "limit = 1_000_000_000_000 ");
    std::fs::write(&plans, text).unwrap();
}

/// Starts the program on `folder`, which has its `policies`.
pub fn tollgate(folder: &Path) -> Server {
    Server::start(
        Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.join("data"))
            .arg("--policies")
            .arg(folder.join("policies"))
            .env("TOLLGATE_LOG", "warn"),
    )
}

impl Server {
    /// Starts a program that says where it listens.
    pub fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = lines.find_map(|line| Some(line.unwrap().split_once(" listening on ")?.1.into()));
        Self { process, url: url.expect("the server says where it listens") }
    }

    /// Where it listens: host and port.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Processor time so far, user and system, in hundredths of a second (proc_pid_stat(5), fields
    /// 14 and 15).
    pub fn ticks(&self) -> f64 {
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
