//! Work that takes its time, and that somebody may want to end: it cleans up behind itself.

use std::io::{self, Read};
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;

/// Whether the work is to end.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

/// Something read that fails once the work is to end.
pub struct Stoppable<R> {
    input: R,
    stop: Stop,
}

impl Stop {
    pub fn reading<R: Read>(self, input: R) -> Stoppable<R> {
        Stoppable { input, stop: self }
    }
}

impl<R: Read> Read for Stoppable<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.0.load(Ordering::Relaxed) {
            return Err(io::Error::other("interrupted"));
        }
        self.input.read(buffer)
    }
}

/// Does work that blocks. A signal stops it at its next read; a second one ends the process, for
/// work that waits for what never comes.
pub async fn until_interrupted<T: Send + 'static>(
    work: impl FnOnce(Stop) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = Stop::default();
    let mut work = spawn_blocking({
        let stop = stop.clone();
        move || work(stop)
    });
    loop {
        tokio::select! {
            outcome = &mut work => return outcome.context("the work broke down")?,
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if stop.0.swap(true, Ordering::Relaxed) {
            exit(1);
        }
    }
}
