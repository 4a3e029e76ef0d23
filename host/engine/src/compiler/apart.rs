//! The process that compiles, as its parent sees it.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::Compiling;
use super::child::{Order, REFUSED};
use super::trusted::MachineCode;
use crate::refusal::{Refused, Step};

/// More is not the machine code of a component of 32 MiB.
const CODE_BYTES_MAX: u64 = 1 << 30;
const WORDS_BYTES_MAX: u64 = 4096;

/// Has a component compiled, and waits for it.
pub(super) fn compile(
    compiling: &Compiling,
    order: &Order,
    component: &[u8],
) -> Result<MachineCode, Refused> {
    let passing = |why: String| Refused { passing: true, ..Refused::new(Step::Compiled, why) };
    let order = order.line().map_err(|error| passing(error.to_string()))?;
    let started = Command::new(&compiling.program)
        .args(&compiling.arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = started.map_err(|error| passing(format!("cannot start the compiler: {error}")))?;
    let said = talk(child, &order, component, compiling.patience)
        .map_err(|error| passing(format!("cannot talk to the compiler: {error}")))?;
    said.into_code(compiling)
}

/// What a compiler said before it ended.
struct Said {
    /// `None` if it had to be ended.
    status: Option<ExitStatus>,
    code: Vec<u8>,
    words: String,
}

fn talk(
    mut child: Child,
    order: &str,
    component: &[u8],
    patience: Duration,
) -> std::io::Result<Said> {
    let (mut input, output, words) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(move || {
            // Whoever ends early does not read to the end; how it ended says why.
            let _ = input.as_mut().map(|input| {
                input.write_all(order.as_bytes()).and_then(|()| input.write_all(component))
            });
        });
        let words = scope.spawn(move || {
            let mut text = Vec::new();
            let _ = words.map(|words| words.take(WORDS_BYTES_MAX).read_to_end(&mut text));
            String::from_utf8_lossy(&text).trim().to_owned()
        });
        let (sender, done) = mpsc::channel();
        scope.spawn(move || {
            let mut code = Vec::new();
            let read = output.map(|output| output.take(CODE_BYTES_MAX).read_to_end(&mut code));
            // Nobody waits only where it took too long.
            let _ = sender.send(read.transpose().map(|_| code));
        });
        let code = done.recv_timeout(patience);
        if matches!(code, Err(RecvTimeoutError::Timeout)) {
            child.kill()?;
        }
        let status = child.wait()?;
        let words = words.join().unwrap_or_default();
        match code {
            Ok(code) => Ok(Said { status: Some(status), code: code?, words }),
            Err(_) => Ok(Said { status: None, code: Vec::new(), words }),
        }
    })
}

impl Said {
    fn into_code(self, compiling: &Compiling) -> Result<MachineCode, Refused> {
        let Self { status, code, words } = self;
        let (seconds, mib) = (compiling.seconds_max, compiling.memory_mib_max);
        let why = match status {
            Some(status) if status.success() && !code.is_empty() => {
                return Ok(MachineCode::vouched_for(code));
            }
            Some(status) if status.code() == Some(REFUSED) => words,
            Some(status) if status.signal() == Some(SIGXCPU) => {
                format!("takes more than {seconds} s of processor time to compile")
            }
            Some(status) if status.signal().is_some() => {
                format!("cannot be compiled in {mib} MiB of memory: the compiler ended by {status}")
            }
            Some(status) => format!("the compiler ended with {status}: {words}"),
            None => format!("takes for ever to compile: {:?} are allowed", compiling.patience),
        };
        Err(Refused::new(Step::Compiled, why))
    }
}

/// What ends a process that has used up its processor time.
const SIGXCPU: i32 = 24;
