use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{PATIENCE, eventually};

/// A real SMTP server, until it is dropped.
pub struct Smtp {
    child: Child,
    port: u16,
    folder: TempDir,
    messages: Arc<Mutex<Vec<Value>>>,
}

impl Smtp {
    /// `mode` is `none`, `starttls` or `tls`. `None` where the machine does not have what it takes.
    pub fn start(mode: &str) -> Option<Self> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/notifications/smtp");
        let python: PathBuf = tests.join("../../../target/smtp/bin/python");
        if !python.exists() {
            eprintln!("SKIPPED: a test of e-mail: run tests/notifications/smtp/setup.sh first");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(python);
        command.arg(tests.join("server.py")).arg(mode).arg(folder.path());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let messages = Arc::new(Mutex::new(Vec::new()));
        let (ready, port) = mpsc::channel();
        let (output, taken) = (child.stdout.take().unwrap(), messages.clone());
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                match serde_json::from_str(&line).unwrap() {
                    // Nobody waits for it any more once the test has given up.
                    Value::Number(port) => drop(ready.send(port.as_u64().unwrap())),
                    message => taken.lock().unwrap().push(message),
                }
            }
        });
        let port = port.recv_timeout(PATIENCE).unwrap();
        Some(Self { child, port: port.try_into().unwrap(), folder, messages })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Of whoever vouches for it.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// All messages that it has taken, once those are so many.
    pub async fn wait_for(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} e-mails arrive"), async || {
            let messages = self.messages.lock().unwrap().clone();
            (messages.len() >= count).then_some(messages)
        })
        .await
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
